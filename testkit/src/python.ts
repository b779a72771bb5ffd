import { execFile, execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/**
 * A Python with one package, made in a folder the first time. Undefined where there is no Python; where CI is set that fails.
 *
 * @param requirement as pip has it, with the exact version
 */
export async function pythonWith(requirement: string, folder: string): Promise<string | undefined> {
  const python = join(folder, 'bin/python')
  if (existsSync(join(folder, 'made'))) return python
  try {
    execFileSync('python3', ['--version'])
  } catch (error) {
    if (process.env.CI !== undefined) throw error
    return undefined
  }
  await run('python3', ['-m', 'venv', '--clear', folder])
  await run(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', requirement])
  await writeFile(join(folder, 'made'), requirement)
  return python
}
