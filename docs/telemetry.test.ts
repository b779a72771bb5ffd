import { readFileSync } from 'node:fs'
import { createGrpcServer } from '@offstage/kit/grpc'
import { createLogger, createMetrics } from '@offstage/kit/telemetry'
import { scrapeOf } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { executorMeasures as ofExecutor } from '../services/executor/src/measures.ts'
import { Attachments } from '../services/scheduler/src/executors/attachments.ts'
import { executorMeasures } from '../services/scheduler/src/executors/measures.ts'
import { createLoadReading } from '../services/scheduler/src/load/load-reading.ts'
import { loadMeasures } from '../services/scheduler/src/load/measures.ts'
import { refreshMeasures } from '../services/scheduler/src/refreshes/measures.ts'

test('the metrics that are told of are those that the services have, with their kinds', async () => {
  const text = readFileSync(new URL('telemetry.md', import.meta.url), 'utf8')
  const rows = [...text.matchAll(/^\| `(offstage_\w+)` \| (\w+) \|/gm)]
  const documented = Object.fromEntries(rows.map(([, name, kind]) => [name, kind]))

  const metrics = createMetrics({ service: 'scheduler', unready: () => undefined })
  const load = createLoadReading({ store: { read: async () => undefined } })
  metrics.add(loadMeasures(load, () => {}))
  metrics.add(refreshMeasures({ recorded: 0 }, { size: 0, healed: 0 }))
  metrics.add(executorMeasures(new Attachments(), { leasesLost: 0, jobsReleased: 0 }))
  const place = { name: 'scheduler', host: '127.0.0.1', port: 0, services: [] }
  metrics.add(createGrpcServer({ ...place, log: createLogger(place) }).measures)
  metrics.add(ofExecutor({ lanes: [], leaks: [], counts: { blockedMs: new Map() } } as never))
  const { types } = scrapeOf((await metrics.render()).text)
  const served = Object.entries(types).filter(([name]) => name.startsWith('offstage_'))
  expect(documented).toEqual(Object.fromEntries(served))
})
