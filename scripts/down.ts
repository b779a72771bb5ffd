/** `make down`: ends what `make up` started, the executor first. Data and logs stay, but for `--data`. */
import { rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { describeStack, postgresFolder, stackFolder } from './stack/processes.ts'
import { stopProcess } from './stack/running.ts'

const { processes } = await describeStack(0, '')
for (const spec of processes.toReversed()) await stopProcess(spec)

if (process.argv.includes('--data')) {
  const elsewhere = dirname(await postgresFolder())
  for (const folder of [elsewhere, stackFolder]) await rm(folder, { recursive: true, force: true })
}
