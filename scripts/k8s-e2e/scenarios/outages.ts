/** What the services depend on, gone under load; and what lies on volumes. */
import { setTimeout as pause } from 'node:timers/promises'
import { ask, underLoad } from '../caller.ts'
import { askHealth } from '../node-hands.ts'
import type { Stage } from '../stage.ts'
import type { Scenario } from '../verdicts.ts'

/** Long enough for readiness probes to have failed, were they to. */
const OUTAGE_MS = 12_000

export const volume: Scenario = {
  name: 'volume',
  async run(stage) {
    const bytes = 1_000_000
    const put = await ask<{ address: string; sha256: string }>(stage, 'put', { bytes })
    const { name } = await stage.readyPod('storage')
    await stage.kubectl('delete', 'pod', name, '--wait=true')
    await stage.rolledOut('storage')
    const { sha256 } = await ask<{ sha256: string }>(stage, 'get', put)
    if (sha256 !== put.sha256) throw new Error('another value came back')
    return `${bytes} bytes put before and read after, the same`
  },
}

export const noDatabase: Scenario = {
  name: 'no-database',
  run: (stage) =>
    underLoad(stage, async () => {
      await stage.scale('postgres', 0)
      try {
        await pause(OUTAGE_MS)
        await allReady(stage)
      } finally {
        await stage.scale('postgres', 1)
      }
    }),
}

async function allReady(stage: Stage): Promise<void> {
  for (const workload of ['scheduler', 'storage', 'executor'] as const) {
    for (const pod of await stage.pods(workload)) {
      const health = await askHealth(stage, workload, pod)
      if (!pod.isReady || health['/readyz'] !== 200 || health['/livez'] !== 200)
        throw new Error(`${pod.name} is not ready without PostgreSQL: ${JSON.stringify(health)}`)
    }
  }
}

export const restartPostgres: Scenario = {
  name: 'restart-postgres',
  run: (stage) => underLoad(stage, () => stage.restart('postgres')),
}

export const stopNats: Scenario = {
  name: 'stop-nats',
  run: (stage) =>
    underLoad(stage, async () => {
      await stage.scale('nats', 0)
      try {
        await pause(OUTAGE_MS)
      } finally {
        await stage.scale('nats', 1)
      }
    }),
}
