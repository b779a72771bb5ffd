/** New versions under load, good ones and bad ones. */
import { type Allowances, underLoad } from '../caller.ts'
import { type Stage, until, WORKLOADS, type Workload } from '../stage.ts'
import type { Scenario } from '../verdicts.ts'

export const quiet: Scenario = {
  name: 'quiet',
  run: (stage) => underLoad(stage, async () => {}),
}

export const rollScheduler = roll('scheduler')
/** There is no other one: on a busy machine it is away for longer than the SDK repeats a call. */
export const rollStorage = roll('storage', { mayFailWith: 'SERVICE_UNREACHABLE' })
export const rollExecutor = roll('executor')

function roll(workload: Workload, allowances: Allowances = {}): Scenario {
  return {
    name: `roll-${workload}`,
    run: (stage) => underLoad(stage, () => stage.restart(workload), allowances),
  }
}

export const wrongImage: Scenario = {
  name: 'wrong-image',
  async run(stage) {
    const before = (await stage.pods('scheduler')).map(({ name }) => name)
    const figure = await underLoad(stage, async () => {
      await setScheduler(stage, 'docker.io/offstage/scheduler:none')
      try {
        const isMissed = async () =>
          (await stage.pods('scheduler')).some(({ waitsFor }) => /Image/.test(waitsFor))
        await until(isMissed, 'the image to be missed')
        const serving = (await stage.pods('scheduler')).filter(({ isReady }) => isReady)
        const left = serving.filter(({ name }) => before.includes(name))
        if (left.length !== before.length)
          throw new Error(`${left.length} of ${before.length} old pods serve`)
      } finally {
        await stage.kubectl('rollout', 'undo', WORKLOADS.scheduler)
        await stage.rolledOut('scheduler')
      }
    })
    return `${before.length} old pods served; ${figure}`
  },
}

/** The release after this one, and back: its migration breaks nothing for this one, so that it can come back. */
export const rollback: Scenario = {
  name: 'rollback',
  async run(stage) {
    return await underLoad(stage, async () => {
      await setScheduler(stage, stage.images.nextScheduler)
      await stage.rolledOut('scheduler')
      await stage.kubectl('rollout', 'undo', WORKLOADS.scheduler)
      await stage.rolledOut('scheduler')
      const log = await stage.kubectl('logs', (await stage.readyPod('scheduler')).name)
      if (!log.includes('newer than this program')) throw new Error('it did not say so in its log')
    })
  },
}

async function setScheduler(stage: Stage, image: string): Promise<void> {
  await stage.kubectl('set', 'image', WORKLOADS.scheduler, `scheduler=${image}`)
}
