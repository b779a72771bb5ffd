import { Client } from '@grpc/grpc-js'
import { Offstage } from '@offstage/sdk'
import { callUnary, createChannel, type UnaryMethod } from '@offstage/sdk/grpc'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { startCluster } from './cluster/cluster.ts'
import { double, steps } from './cluster/jobs.ts'
import { guardedTls } from './guarded/access.ts'

const jobs = new URL('./cluster/jobs.ts', import.meta.url)

/** Asks a scheduler whether it is healthy, on a connection that is already open; patient, but not for ever. */
async function openProbe(address: string) {
  const channel = createChannel(address, guardedTls())
  const client = channel.client(Client)
  const pass = (bytes: Buffer): Buffer<ArrayBuffer> => Buffer.from(bytes)
  const check: UnaryMethod<Buffer, Buffer> = (request, metadata, options, callback) => {
    const done = (error: Parameters<typeof callback>[0], response = Buffer.alloc(0)) =>
      callback(error, response)
    const path = '/grpc.health.v1.Health/Check'
    return client.makeUnaryRequest(path, pass, pass, request, metadata, options, done)
  }
  const ask = () => callUnary(check, Buffer.alloc(0), { deadlineMs: 20_000 })
  await ask()
  return { ask, [Symbol.dispose]: () => channel.close() }
}

test('a scheduler that freezes is left for another: by calls, by waits, and by executors within their lease', async () => {
  await using cluster = await startCluster({ jobs, schedulers: 2, executors: 1, lease: '15s' })
  const [frozen] = cluster.schedulers
  await using offstage = await Offstage.connect({ scheduler: cluster.target() })
  using probe = await openProbe(frozen?.address ?? '')
  const job = await offstage.startJob(steps, { count: 10, everyMs: 1_000 })
  const percents: number[] = []
  const done = job.waitForCompletion({ onProgress: ({ percent }) => percents.push(percent) })
  await until(() => percents.length > 0)

  frozen?.process.signal('SIGSTOP')
  const stuck = probe.ask().then(
    () => 'answered',
    () => 'stuck',
  )
  const moved = Promise.all([offstage.run(double, { n: 21 }), done]).then(() => 'moved')
  expect(await Promise.race([moved, stuck])).toBe('moved')
  expect(await offstage.run(double, { n: 21 })).toBe(42)

  // The executor went on with the job it had: nobody else was given it.
  expect(await done).toMatchObject({ state: 'succeeded' })
  expect(await job.refresh()).toMatchObject({ attempt: 1, crashCount: 0 })
  await frozen?.process.kill('SIGKILL')
}, 90_000)
