/** The examples in other languages, made ready to run the first time, and again where what they are made of has changed. */
import { execFile, execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { globSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

export const root = fileURLToPath(new URL('../..', import.meta.url))
const SCRATCH = join(root, '.offstage')
const run = promisify(execFile)

/** Where CI is set a missing program fails the run; elsewhere nobody needs one to work on Offstage. */
export const has = (program: string) => {
  try {
    execFileSync('sh', ['-c', `command -v ${program}`])
    return true
  } catch {
    return process.env.CI !== undefined
  }
}

/** The Python by which examples/python run. */
export async function python(): Promise<string> {
  const folder = join(SCRATCH, 'example-python')
  const example = join(root, 'examples/python')
  await madeOf(folder, ['examples/python/*.{sh,txt}'], () =>
    run('sh', [join(example, 'generate.sh'), folder]),
  )
  return join(folder, 'bin/python')
}

/** The folder with the programs of examples/go. */
export async function goPrograms(): Promise<string> {
  const folder = join(SCRATCH, 'example-go')
  const cwd = join(root, 'examples/go')
  const sources = ['executor', 'client', 'cmd/*'].map((part) => `examples/go/${part}/*.go`)
  await madeOf(folder, [...sources, 'examples/go/{go.*,*.sh}'], async () => {
    await run('sh', ['generate.sh'], { cwd })
    await run('go', ['build', '-o', `${folder}/`, './cmd/...'], { cwd })
  })
  return folder
}

async function madeOf(
  folder: string,
  sources: readonly string[],
  make: () => Promise<unknown>,
): Promise<void> {
  await mkdir(folder, { recursive: true })
  const hash = createHash('sha256')
  const patterns = ['proto/offstage/**/*.proto', ...sources]
  for (const file of globSync(patterns, { cwd: root }).toSorted()) {
    hash.update(file).update(await readFile(join(root, file)))
  }
  const mark = join(folder, 'made-of')
  const wanted = hash.digest('hex')
  if ((await readFile(mark, 'utf8').catch(() => '')) === wanted) return
  await make()
  await writeFile(mark, wanted)
}
