/**
 * What looking for leaks costs a run: one that does nothing, one that waits for a timer, one that opens and closes a file, and one that asks
 * over HTTP; while nobody looks, while somebody looks, and after that. In one process, in turn: figures depend on the machine, the
 * ratios are what counts.
 *
 * Run: BENCH_SECONDS=1 BENCH_ROUNDS=5 node bench/leaks/main.ts
 */
import { once } from 'node:events'
import { open } from 'node:fs/promises'
import { Agent, createServer, get } from 'node:http'
import type { AddressInfo } from 'node:net'
import { runInScope } from '@offstage/sdk'
import { trackLeaks } from '@offstage/sdk/leaks'
import { median } from '../hot-path/rate.ts'

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 5)
const SECONDS = Number(process.env.BENCH_SECONDS ?? 1)
/** Runs at once. */
const BATCH = 50

// Between its turns, in which others run, a connection is idle for longer than it is kept by default.
const server = createServer({ keepAliveTimeout: 0 }, (_request, response) =>
  response.end('hello'),
).listen(0, '127.0.0.1')
await once(server, 'listening')
const { port } = server.address() as AddressInfo
const agent = new Agent({ keepAlive: true })

const RUNS: Readonly<Record<string, () => unknown>> = {
  nothing: () => undefined,
  'a timer': () => new Promise((resolve) => setTimeout(resolve, 0)),
  'a file': async () => (await open(import.meta.filename)).close(),
  'a request': async () => {
    const [response] = await once(get({ port, host: '127.0.0.1', agent }), 'response')
    await once(response.resume(), 'end')
  },
}

/** How much of a processor a run takes, in microseconds: whatever else the machine does. */
async function costOf(work: () => unknown): Promise<number> {
  const endMs = performance.now() + SECONDS * 1_000
  const before = process.cpuUsage()
  let runs = 0
  while (performance.now() < endMs) {
    await Promise.all(Array.from({ length: BATCH }, () => runInScope('a section', work)))
    runs += BATCH
  }
  const { user, system } = process.cpuUsage(before)
  return (user + system) / runs
}

const STATES = ['never on', 'on', 'off again'] as const
const figures = new Map<string, number[]>()

async function measure(state: (typeof STATES)[number]): Promise<void> {
  for (const [name, work] of Object.entries(RUNS)) {
    const key = `${name} ${state}`
    figures.set(key, [...(figures.get(key) ?? []), await costOf(work)])
  }
}

// The first round compiles.
for (let round = 0; round <= ROUNDS; round += 1) {
  if (round === 1) figures.clear()
  await measure('never on')
}
for (let round = 1; round <= ROUNDS; round += 1) {
  const tracking = trackLeaks({ names: ['a section'] })
  await measure('on')
  tracking.stop()
  await measure('off again')
}
const rows = Object.keys(RUNS).map((name) => {
  const [before = 0, on = 0, after = 0] = STATES.map((state) =>
    median(figures.get(`${name} ${state}`) ?? []),
  )
  return {
    'a run with': name,
    'off, µs of CPU': Number(after.toFixed(1)),
    'on, µs of CPU': Number(on.toFixed(1)),
    'on / off': Number((on / after).toFixed(2)),
    'off again / never on': Number((after / before).toFixed(2)),
  }
})
console.table(rows)
agent.destroy()
server.close()
