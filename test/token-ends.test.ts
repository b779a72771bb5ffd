/** Streams that are open when the token of their caller ends: they end with it, and what goes on over them goes on. */
import { writeFile } from 'node:fs/promises'
import { JobServiceService } from '@offstage/proto/jobs'
import { Offstage } from '@offstage/sdk'
import { until } from '@offstage/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { callAnyRpc } from './cluster/any-rpc.ts'
import { alone, steps } from './cluster/jobs.ts'
import { type Identified, startIdentified } from './testing/identified.ts'

const SHORT_S = 6

let it: Identified
let renewing: NodeJS.Timeout
beforeAll(async () => {
  it = await startIdentified({ entry: { clockTolerance: '0s' } })
  renewing = setInterval(async () => writeFile(it.tokenFile, await runner()), 500)
  await it.startExecutor(await runner())
})
afterAll(async () => {
  clearInterval(renewing)
  await it[Symbol.asyncDispose]()
})

const runner = () => it.issuer.sign({ user: 'runner', roles: ['executor'], endsInS: SHORT_S })
const ann = (endsInS: number) => it.issuer.sign({ user: 'ann', endsInS })
const connect = (token: () => Promise<string>) => {
  const { scheduler, storage } = it
  return Offstage.connect({ scheduler, storage, token })
}

test('a watch ends with the token it was opened with', async () => {
  await using offstage = await connect(() => ann(600))
  const handle = await offstage.startJob(alone, { forMs: 60_000 })
  const targets = [{ jobId: handle.id, afterSequence: 0 }]
  const authorization = `Bearer ${await ann(SHORT_S)}`
  const { watchJobs, followJobs } = JobServiceService
  const { scheduler: address } = it
  const watch = { namespace: 'default', add: targets, removeJobIds: [] }
  const follow = { namespace: 'default', targets }
  const answers = await Promise.all([
    callAnyRpc({ address, definition: watchJobs }, [watch], { authorization }),
    callAnyRpc({ address, definition: followJobs }, follow, { authorization }),
  ])
  for (const { outcome, messages } of answers) {
    expect(outcome).toBe('TOKEN_EXPIRED')
    expect(messages.length).toBeGreaterThan(0)
  }
  await handle.cancel()
})

test('jobs and those who wait for them do not notice that streams end with their tokens', async () => {
  let asked = 0
  await using offstage = await connect(() => {
    asked += 1
    return ann(SHORT_S)
  })
  const handle = await offstage.startJob(steps, { count: 100, everyMs: 150 })
  const waited = handle.waitForCompletion()
  await until(async () => (await handle.messages()).length > 0)
  const { attempt } = await handle.refresh()
  const before = await attachTime()
  const { state } = await waited
  expect(state).toBe('succeeded')
  expect(asked).toBeGreaterThan(1)
  // The executor has attached anew, and the job has gone on: it is still in the same attempt, and lost nothing of what it said.
  expect(await attachTime()).toBeGreaterThan(before)
  expect(await handle.refresh()).toMatchObject({ attempt, crashCount: 0 })
  const messages = await handle.messages()
  expect(messages.map(({ text }) => text)).toEqual(messages.map((_, n) => `step ${n}`))
  expect(messages).toHaveLength(100)
})

/** When the executor's present stream was opened, in milliseconds since 1970. */
async function attachTime(): Promise<number> {
  const { scheduler, storage } = it
  const token = await it.issuer.sign({ user: 'olga', roles: ['operator'] })
  await using offstage = await Offstage.connect({ scheduler, storage, token })
  for await (const { attachTime } of offstage.listExecutors()) return attachTime?.getTime() ?? 0
  throw new Error('no executor is attached')
}
