/** Which tests share a process with others, one after the other: a process for each takes longer than most of them. */
import { globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** By what they import they may start services, processes, threads, ports or a database. */
const STARTS =
  /'(?:[^']*\/(?:testing|cluster|guarded|scripts)\/[^']*|@offstage\/(?:testkit|kit\/(?:database|grpc))|@grpc\/grpc-js|node:(?:child_process|worker_threads|net|tls|http2?)|pg)'/

/** What one would leave to the next, or see of the last. */
const SHARES =
  /\bvi\.(?:mock|doMock|stub\w+|resetModules)\b|\bglobalThis\b|\bprocess\.(?:env|on|exit|chdir|memoryUsage)\b|\bimport\(/

/** A test is one of them by its own text, so that nobody has to remember a list. */
export function isUnit(text: string): boolean {
  return !STARTS.test(text) && !SHARES.test(text)
}

/** Paths from the root, as a configuration of Vitest has them. */
export function unitFiles(): string[] {
  const exclude = (name: string) => /(^|\/)(node_modules|dist)$|^\./.test(name)
  const files = globSync('**/*.test.ts', { cwd: ROOT, exclude })
  return files.filter((file) => isUnit(readFileSync(`${ROOT}${file}`, 'utf8'))).toSorted()
}
