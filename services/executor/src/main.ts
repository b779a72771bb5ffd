import { runMain } from '@offstage/kit/lifecycle'
import { createLogger } from '@offstage/kit/telemetry'
import { createExecutor, readExecutorConfig } from './mod.ts'

await runMain(
  'executor',
  async () => {
    const config = readExecutorConfig()
    const log = createLogger({ name: 'executor', level: config.logLevel })
    return createExecutor({ config, log })
  },
  // The drain keeps its own time; this only ends a stop that hangs.
  { stopTimeoutMs: 3_600_000 },
)
