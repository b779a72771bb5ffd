import { execFileSync } from 'node:child_process'

/** Whether the shell finds programs that not everybody has who works on Offstage; where CI is set a missing one fails the run. */
export function hasPrograms(...names: readonly string[]): boolean {
  return process.env.CI !== undefined || names.every(isThere)
}

function isThere(name: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${name}`])
    return true
  } catch {
    return false
  }
}
