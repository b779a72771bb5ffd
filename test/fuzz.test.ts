/**
 * Every RPC of the services, called with bytes of any kind: random ones, messages of the right type with whatever values, and
 * streams of them. Only documented codes and reasons come back, no word of what lies below does, nothing crashes, memory stays
 * bounded, and whoever calls afterwards is served.
 *
 * FUZZ_CALLS says how many calls each RPC gets, FUZZ_SEED repeats a run (`make fuzz` makes many).
 */
import { readFileSync } from 'node:fs'
import type { Client } from '@grpc/grpc-js'
import { type DescMethod, loadRegistry } from '@offstage/proto/descriptor-files'
import { AttachRequest } from '@offstage/proto/executor'
import { PutValueHeader, PutValueRequest } from '@offstage/proto/storage'
import { Offstage } from '@offstage/sdk'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Cluster, startCluster } from './cluster/cluster.ts'
import { double } from './cluster/jobs.ts'
import { call, connect, type FuzzCall, faultsOf } from './fuzz/call.ts'
import type { World } from './fuzz/values.ts'
import { messageOf } from './fuzz/wire.ts'
import { makeWorld } from './fuzz/world.ts'
import { callingAs } from './guarded/access.ts'

const jobs = new URL('./cluster/jobs.ts', import.meta.url)
const CALLS = Number(process.env.FUZZ_CALLS ?? 30)
const SEED = Number(process.env.FUZZ_SEED ?? Date.now() % 1_000_000)
const AT_ONCE = 16
const RSS_MIB_MAX = 900

const it = new AsyncDisposableStack()
let cluster: Cluster
let offstage: Offstage
let world: World
const clients: Record<string, Client> = {}

/** Each of the services by what of the contract it serves. */
const SERVER: Readonly<Record<string, string>> = {
  'offstage.jobs.v1': 'scheduler',
  externalscaler: 'scheduler',
  'offstage.executor.v1.ExecutorService': 'scheduler',
  'offstage.executor.v1.ExecutorControlService': 'executor',
  'offstage.storage.v1': 'storage',
}

const rpcs = [...loadRegistry().files].flatMap(({ proto, services }) =>
  services.flatMap(({ typeName, methods }) => {
    const server = SERVER[typeName] ?? SERVER[proto.package]
    return server === undefined ? [] : methods.map((method) => ({ server, method }))
  }),
)

beforeAll(async () => {
  cluster = it.use(await startCluster({ jobs, schedulers: 1, executors: 2, storage: true }))
  const { schedulers, executors, storage } = cluster
  clients.scheduler = connect(schedulers[0]?.address ?? '')
  clients.executor = connect(executors[1]?.address ?? '')
  clients.storage = connect(storage)
  it.defer(() => {
    for (const client of Object.values(clients)) client.close()
  })
  offstage = it.use(
    await Offstage.connect({ scheduler: cluster.target(), storage, ...callingAs('admin') }),
  )
  world = await makeWorld(cluster, offstage)
})
afterAll(() => it.disposeAsync())

/** A hello that is taken, so that what follows it is read. */
const HELLO = Buffer.from(
  AttachRequest.encode(
    AttachRequest.fromPartial({
      hello: {
        sessionId: '11111111-1111-1111-1111-111111111111',
        namespace: 'fuzz',
        methods: [{ name: 'fuzz.method' }],
        lanes: [{ lane: 1, slots: 1_000 }],
      },
      credits: [{ lane: 1, slots: 10 }],
    }),
  ).finish(),
)

const HEADER = Buffer.from(
  PutValueRequest.encode({
    part: { $case: 'header', value: PutValueHeader.fromPartial({}) },
  }).finish(),
)

/** That no compression makes short. */
const LONG_NAME = Array.from({ length: 2_000 }, (_, n) => (n * 2654435761).toString(36))
  .join('')
  .slice(0, 7_000)

/** First messages that are taken. */
const GREETINGS: Readonly<Record<string, Buffer>> = { Attach: HELLO, PutValue: HEADER }

const HEADERS = fc.record(
  {
    'offstage-user': fc.constantFrom('dev', 'ann', 'x'.repeat(255), LONG_NAME, ' ', '%00'),
    authorization: fc.constantFrom('Bearer x', 'Bearer', 'Basic YTpi', 'Bearer a.b.c'),
    traceparent: fc.constantFrom(
      '00-0-0-00',
      'x'.repeat(2_000),
      `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`,
    ),
    tracestate: fc.constantFrom('a=b', '='.repeat(500)),
  },
  { requiredKeys: [] },
)

/** Unary calls that wait by their nature; streams do as well. */
const WAITING = /StartJobs?$|WaitJobs$|CancelJob$|Drain$/

function callsOf({ method }: { method: DescMethod }): fc.Arbitrary<FuzzCall> {
  const { name, parent, methodKind, input } = method
  const path = `/${parent.typeName}/${name}`
  const message = fc.oneof(messageOf(input, world), messageOf(input, { ...world, calm: true }))
  const noise = fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes))
  const some = fc.oneof({ weight: 9, arbitrary: message }, { weight: 1, arbitrary: noise })
  const many = fc.array(some, { maxLength: 6 })
  const greeting = GREETINGS[name]
  const greeted = fc
    .tuple(fc.boolean(), many)
    .map(([greets, rest]) => (greets && greeting !== undefined ? [greeting, ...rest] : rest))
  const streams = methodKind === 'bidi_streaming' || methodKind === 'client_streaming'
  const requests = streams ? greeted : some.map((bytes) => [bytes])
  const waits = methodKind !== 'unary' || WAITING.test(name)
  return fc.record({ requests, headers: HEADERS }).map((made) => ({ path, waits, ...made }))
}

const named = rpcs.map((rpc) => [`${rpc.method.parent.name}.${rpc.method.name}`, rpc] as const)

describe(`seed ${SEED}`, () => {
  test.each(named)(
    '%s answers whatever is sent with what is documented',
    async (_name, rpc) => {
      const client = clients[rpc.server]
      if (client === undefined) throw new Error(`nobody serves ${rpc.server}`)
      const left = fc.sample(callsOf(rpc), { seed: SEED, numRuns: CALLS })
      const faults: object[] = []
      const work = async () => {
        for (let next = left.pop(); next !== undefined; next = left.pop()) {
          const said = faultsOf(next, await call(client, next))
          if (said.length > 0) faults.push({ said, ...readable(next) })
        }
      }
      await Promise.all(Array.from({ length: AT_ONCE }, work))
      expect(faults.slice(0, 5)).toEqual([])
    },
    CALLS * 1_000 + 60_000,
  )

  test('the services have lived through it, in bounded memory, without a word of a surprise', async () => {
    for (const { process: child } of cluster.members) {
      const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]
      expect(Number(peak) / 1024).toBeLessThan(RSS_MIB_MAX)
      expect(child.stderr).toBe('')
      const surprises = child.stdout
        .split('\n')
        .filter((line) => /failed unexpectedly|"level":(5|6)0/.test(line))
      expect(surprises).toEqual([])
    }
  })

  test('whoever calls afterwards is served', async () => {
    await offstage.endExclusiveMode()
    await offstage.resumeNamespace()
    const { pausedPools } = await offstage.settings.get()
    for (const pool of pausedPools) await offstage.resumePool(pool)
    await offstage.resumeMethod('cluster.double')
    const job = await offstage.startJob(double, { n: 21 })
    expect((await job.waitForCompletion()).result).toBe(42)
    const { address } = await offstage.storage.put({ n: 1 })
    expect(await offstage.storage.get(address)).toEqual({ n: 1 })
  })
})

function readable({ path, requests, headers }: FuzzCall) {
  const shown = requests.map((bytes) => bytes.subarray(0, 300).toString('base64'))
  return { path, headers: JSON.stringify(headers).slice(0, 200), requests: shown }
}
