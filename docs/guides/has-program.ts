import { execFileSync } from 'node:child_process'

/** Whether the shell finds a program that not everybody has who works on Offstage. */
export function hasProgram(name: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${name}`])
    return true
  } catch {
    return false
  }
}
