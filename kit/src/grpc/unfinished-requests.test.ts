import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import type { Refusal } from './refusal.ts'
import { PIECES_MAX, UnfinishedRequests } from './unfinished-requests.ts'

test('where much is held, who holds more than an equal share loses what is not whole soon', async () => {
  const requests = new UnfinishedRequests(60_000, () => false, 1_000_000)
  const ended: string[] = []
  const begin = (caller: string, bytes: number) => {
    const end = ({ reason }: Refusal) => ended.push(`${caller} ${reason}`)
    const one = { caller, sinceMs: 0, bytes: 0, pieces: 0, end }
    requests.begin(one)
    requests.receive(one, bytes, PIECES_MAX)
    return one
  }
  const small = begin('ann', 100_000)
  for (let i = 0; i < 10; i++) begin('mallory', 100_000)
  // As many as it takes, perhaps not at the same look: they did not begin in the same moment.
  await until(() => ended.length > 1, { what: 'two ends' })
  expect(ended).toEqual(['mallory SLOW_SENDER', 'mallory SLOW_SENDER'])
  requests.finish(small)
})
