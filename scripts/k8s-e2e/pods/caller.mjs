/** A client that does what it is asked on its loopback port: load with figures, single jobs, values. It has the SDK and a token. */
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { Offstage } from '@offstage/sdk'
import { echo } from '/jobs/echo.js'

const CALLERS = 6
/** Goes by way of storage. */
const LARGE = 'x'.repeat(200_000)
/** Most are short; one caller's run long enough for whatever happens to meet some. */
const SHORT_MS = 20
const LONG_MS = 700
/** A job that has not ended so long after the last start is lost. */
const LOST_AFTER_MS = 90_000

const offstage = await Offstage.connect()
let load

const acts = {
  begin({ run }) {
    load = startLoad(run)
    return {}
  },
  /** How many jobs have ended so far: whoever watches it sees whether callers get on. */
  soFar: () => ({ ended: load.ended }),
  end: () => load.end(),
  async start({ count, ms, run }) {
    const params = Array.from({ length: count }, (_, at) => ({ text: `${at}`, ms }))
    await offstage.startJobs(echo, params, { labels: { run } })
    return counted(run)
  },
  count: ({ run }) => counted(run),
  async put({ bytes }) {
    const value = Buffer.alloc(bytes, 'a value that stays ')
    const { address } = await offstage.storage.put(value)
    return { address, sha256: sha256(value) }
  },
  async get({ address }) {
    return { sha256: sha256(await offstage.storage.get(address)) }
  },
}

createServer(async (request, response) => {
  try {
    const body = []
    for await (const chunk of request) body.push(chunk)
    const result = await acts[request.url.slice(1)](JSON.parse(Buffer.concat(body).toString()))
    response.end(JSON.stringify(result))
  } catch (error) {
    response.writeHead(500).end(`${error.reason ?? ''} ${error.stack}`)
  }
}).listen(7720, '127.0.0.1')

function startLoad(run) {
  const startsMs = []
  const failures = []
  let ended = 0
  let calledAgain = 0
  let isOver = false
  const one = async (text, ms) => {
    const begunMs = performance.now()
    const job = await offstage.startJob(echo, { text, ms }, { labels: { run } })
    startsMs.push(performance.now() - begunMs)
    const { state, result, messages } = await job.waitForCompletion()
    if (result !== text) throw new Error(`${job.id} ${state} with another value`)
    if (messages.length > 1) calledAgain += 1
    ended += 1
  }
  const caller = async (at) => {
    for (let call = 0; !isOver; call += 1) {
      await one(at === 0 ? LARGE : `${at} ${call}`, at === 1 ? LONG_MS : SHORT_MS).catch((error) =>
        failures.push(`${error.reason ?? ''} ${error.message}`),
      )
      await pause(50)
    }
  }
  const callers = Promise.all(Array.from({ length: CALLERS }, (_, at) => caller(at)))
  return {
    get ended() {
      return ended
    },
    async end() {
      isOver = true
      const inTime = new AbortController()
      const late = pause(LOST_AFTER_MS, undefined, { signal: inTime.signal }).catch(() => {})
      await Promise.race([callers, late])
      inTime.abort()
      return {
        starts: startsMs.length,
        ended,
        calledAgain,
        failures,
        ...spread(startsMs),
        ...(await counted(run)),
      }
    },
  }
}

/** As the scheduler has them: how many there are, succeeded, and were assigned more than once. */
async function counted(run) {
  let [rows, succeeded, assignedAgain] = [0, 0, 0]
  for await (const { state, attempt } of offstage.listJobs(
    { labels: { run } },
    { pageSize: 1_000 },
  )) {
    rows += 1
    if (state === 'succeeded') succeeded += 1
    if (attempt > 1) assignedAgain += 1
  }
  return { rows, succeeded, assignedAgain }
}

function spread(times) {
  const sorted = times.toSorted((one, other) => one - other)
  const at = (share) => Math.round(sorted[Math.floor(share * (sorted.length - 1))] ?? 0)
  return { p50Ms: at(0.5), p99Ms: at(0.99), longestMs: at(1) }
}

function sha256(value) {
  return createHash('sha256').update(value).digest('hex')
}
