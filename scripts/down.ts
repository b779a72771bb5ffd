/** `make down`: ends what `make up` started, the executor first. Data and logs stay. */
import { describeStack } from './stack/processes.ts'
import { stopProcess } from './stack/running.ts'

const { processes } = await describeStack(0, '')
for (const spec of processes.toReversed()) await stopProcess(spec)
