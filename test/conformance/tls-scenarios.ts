/** What an executor does whose services ask for certificates. */
import type { Scenario } from './scenario.ts'
import { addressOf, at, jsonOf } from './stage.ts'
import { awaited, must, mustBe } from './verdict.ts'

export const tlsScenarios: readonly Scenario[] = [
  {
    number: '8.1',
    title:
      'attaches over TLS, and reads parameters and stores results over it, showing its certificate',
    async run(stage) {
      const params = at(stage.storage.keep({ bytes: 70_000 }))
      const attempt = await stage.assign('large', undefined, { params })
      const { address } = addressOf(await (await stage.attached()).result(attempt))
      const stored = stage.storage.values.get(address)?.bytes.length ?? 0
      must(stored >= 70_000, 'its result was not stored whole')
    },
  },
  {
    number: '8.2',
    title:
      'attaches to nobody whose certificate its authority has not signed, and goes on where one is signed again',
    async run(stage) {
      const { scheduler, impostor } = stage
      if (impostor === undefined) throw new Error('a stage without TLS')
      const attempt = await stage.holding()
      const before = await stage.attached()
      scheduler.cable.divert(impostor.address)
      await awaited('connections that are given up', () => impostor.left > 1 || undefined)
      mustBe('connections on which it spoke to somebody else', impostor.believed, 0)
      scheduler.cable.divert(undefined)
      const attachment = await stage.after(before)
      attempt.release()
      mustBe('what the handler returns', jsonOf(await attachment.result(attempt)), 'released')
    },
  },
]
