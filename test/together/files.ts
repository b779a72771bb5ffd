/**
 * Which test files share a process with others, one after the other: to start one for each, and to load there what all of them
 * load, takes longer than most of them. Not those that need a process to themselves, or that start others.
 */
import { globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** What starts servers, processes or threads for its own file. */
const STARTS =
  /\b(?:spawnProcess|startPostgres|startNats|startTestIssuer|allFaults)\b|'node:(?:child_process|worker_threads|tls|http2?)'|'[^']*\/(?:cluster|guarded|scripts)\/[^']*'/

/** What one would leave to the next, or see of the last. */
const LEAVES =
  /\bvi\.(?:mock|doMock|stub\w+|resetModules)\b|\bglobalThis\b|\bglobal\.gc\b|\bsetGlobal|\bprocess\.(?:on|exit|chdir|memoryUsage)\b|\bimport\(/
const ENVIRONMENT = /\bprocess\.env\b/
const CHANGED =
  /\b(?:delete |assign\()process\.env\b|\bprocess\.env(?:\.\w+|\[[^\]]*\]) (?:\?\?)?= /

/** Fixtures that may do the same, except where they are of one process and gone with their test. */
const FIXTURES = /'[^']*\/testing\/[^']*'/
const IN_PROCESS = /^(?:sdk|docs|services\/(?:scheduler|storage))\//

/** A test is one of them by its own text, so that nobody has to remember a list. */
export function runsTogether(path: string, text: string): boolean {
  if (STARTS.test(text) || LEAVES.test(text) || ENVIRONMENT.test(text)) return false
  return IN_PROCESS.test(path) || !FIXTURES.test(text)
}

/** Tests of services in processes of their own share what starts those: its PostgreSQL, too, where they ask for no other. */
export function sharesServers(path: string, text: string): boolean {
  const leaves = LEAVES.test(text) || CHANGED.test(text)
  return /^test\/(?:rehearsal\/)?[^/]+$/.test(path) && !leaves && !runsTogether(path, text)
}

/** Paths from the root, as a configuration of Vitest has them. */
export const togetherFiles = () => testFiles(runsTogether)
export const clusterFiles = () => testFiles(sharesServers)

function testFiles(isWanted: (path: string, text: string) => boolean): string[] {
  const exclude = (name: string) => /(^|\/)(node_modules|dist)$|^\./.test(name)
  const files = globSync('**/*.test.ts', { cwd: ROOT, exclude })
  return files.filter((file) => isWanted(file, readFileSync(`${ROOT}${file}`, 'utf8'))).toSorted()
}
