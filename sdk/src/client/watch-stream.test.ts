import type { JobEvent, WatchJobsRequest, WatchJobsResponse } from '@offstage/proto/jobs'
import { describe, expect, test } from 'vitest'
import { OffstageError } from '../grpc/mod.ts'
import { createManualClock } from '../idle/manual-clock.ts'
import { type WatchCall, WatchStream } from './watch-stream.ts'

/** A scripted other side: what it was sent, and how it answers. */
class ScriptedCall {
  readonly sent: WatchJobsRequest[] = []
  ended = false
  /** Says there is no room after each message, until {@link drain}. */
  slow = false
  #drain = Promise.withResolvers<void>()
  #next = Promise.withResolvers<WatchJobsResponse | 'end' | OffstageError>()

  readonly call: WatchCall = {
    responses: this.#responses(),
    send: (request) => {
      this.sent.push(request)
      return !this.slow
    },
    drained: () => this.#drain.promise,
    cancel: () => this.#next.resolve('end'),
    end: () => {
      this.ended = true
      this.#next.resolve('end')
    },
  }

  async *#responses(): AsyncGenerator<WatchJobsResponse, void, undefined> {
    for (;;) {
      const next = await this.#next.promise
      this.#next = Promise.withResolvers()
      if (next === 'end') return
      if (next instanceof OffstageError) throw next
      yield next
    }
  }

  drain(): void {
    this.slow = false
    this.#drain.resolve()
  }

  answer(...events: JobEvent[]): void {
    this.#next.resolve({ events })
  }

  break(): void {
    this.#next.resolve(
      new OffstageError({ code: 14, reason: 'SERVICE_UNREACHABLE', message: 'cut' }),
    )
  }

  get added(): string[] {
    return this.sent.flatMap(({ add }) => add.map(({ jobId }) => jobId))
  }
}

function setUp() {
  const clock = createManualClock()
  const calls: ScriptedCall[] = []
  const events: JobEvent[] = []
  const faults: unknown[] = []
  let faulty = false
  const fail = () => {
    faulty = true
  }
  const stream = new WatchStream({
    namespace: 'blue',
    clock,
    open: () => {
      if (faulty) throw new Error('no stream')
      const call = new ScriptedCall()
      calls.push(call)
      return call.call
    },
    sequenceOf: (jobId) => (jobId === 'a' ? 7 : 0),
    onEvents: (heard) => {
      if (faulty) throw new Error('my fault')
      events.push(...heard)
    },
    onFault: (error) => faults.push(error),
  })
  const callAt = (at: number): ScriptedCall => {
    const call = calls[at]
    if (call === undefined) throw new Error(`there was no call ${at}`)
    return call
  }
  return { clock, calls, events, faults, fail, stream, callAt }
}

const names = (count: number) => Array.from({ length: count }, (_, n) => `job-${n}`)

describe('the watch stream', () => {
  test('sends what is added in one turn in one message, from where each stands', async () => {
    const { clock, stream, callAt } = setUp()
    stream.add('a')
    stream.add('b')
    await clock.advance()
    const add = [
      { jobId: 'a', afterSequence: 7 },
      { jobId: 'b', afterSequence: 0 },
    ]
    expect(callAt(0).sent).toEqual([{ namespace: 'blue', add, removeJobIds: [] }])
  })

  test('takes out what is no longer wanted, but not what has ended by itself', async () => {
    const { clock, stream, callAt } = setUp()
    for (const id of ['a', 'b', 'c']) stream.add(id)
    await clock.advance()
    stream.remove('a', true)
    stream.remove('b', false)
    await clock.advance()
    expect(callAt(0).sent.at(-1)).toEqual({ namespace: 'blue', add: [], removeJobIds: ['b'] })
  })

  test('adds anew what came back within one turn, and knows that it had left', async () => {
    const { clock, stream, callAt } = setUp()
    stream.add('a')
    await clock.advance()
    expect(stream.hasLeft('a')).toBe(false)
    stream.remove('a', false)
    stream.add('a')
    await clock.advance()
    const add = [{ jobId: 'a', afterSequence: 7 }]
    expect(callAt(0).sent.at(-1)).toEqual({ namespace: 'blue', add, removeJobIds: ['a'] })
    expect(stream.hasLeft('a')).toBe(true)
  })

  test('forgets what was added and removed within one turn', async () => {
    const { clock, stream, calls } = setUp()
    stream.add('a')
    stream.remove('a', false)
    await clock.advance()
    expect(calls).toEqual([])
  })

  test('holds 10,000 targets at most; the next one goes out when one has left', async () => {
    const { clock, stream, callAt } = setUp()
    for (const id of names(10_002)) stream.add(id)
    await clock.advance()
    expect(callAt(0).sent.every(({ add }) => add.length <= 1_000)).toBe(true)
    expect(callAt(0).added).toHaveLength(10_000)
    stream.remove('job-5', true)
    await clock.advance()
    expect(callAt(0).added.slice(10_000)).toEqual(['job-10000'])
  })

  test('waits where the other side is behind', async () => {
    const { clock, stream, callAt } = setUp()
    stream.add('first')
    await clock.advance()
    callAt(0).slow = true
    for (const id of names(3_000)) stream.add(id)
    await clock.advance()
    expect(callAt(0).sent).toHaveLength(2)
    callAt(0).drain()
    await clock.advance()
    expect(callAt(0).added).toHaveLength(3_001)
  })

  test('looks after a target from the next beat on, while beats come and the stream holds', async () => {
    const { clock, stream, callAt, events } = setUp()
    stream.add('a')
    await clock.advance()
    const looks = () => ['a', 'b'].map((jobId) => stream.looksAfter(jobId))
    expect(looks()).toEqual([false, false])
    callAt(0).answer()
    await clock.advance()
    expect(looks()).toEqual([true, false])
    stream.add('b')
    await clock.advance()
    // The beat may have left before the target came.
    expect(looks()).toEqual([true, false])
    callAt(0).answer()
    await clock.advance(14_999)
    expect(looks()).toEqual([true, true])
    await clock.advance(1)
    expect(looks()).toEqual([false, false])
    callAt(0).answer()
    await clock.advance()
    expect(looks()).toEqual([true, true])
    callAt(0).break()
    await clock.advance(100)
    expect(callAt(1).added).toEqual(['a', 'b'])
    expect(looks()).toEqual([false, false])
    expect(events).toEqual([])
  })

  test('is opened again with growing pauses while it cannot be held, up to 15 s', async () => {
    const { clock, calls, stream, callAt } = setUp()
    stream.add('a')
    await clock.advance()
    const openedAt: number[] = []
    for (let round = 0; round < 12; round += 1) {
      callAt(round).break()
      while (calls.length === round + 1) await clock.advance(100)
      openedAt.push(clock.now())
    }
    const pauses = openedAt.map((atMs, at) => atMs - (openedAt[at - 1] ?? 0))
    for (const [round, pauseMs] of pauses.entries()) {
      const boundMs = Math.min(15_000, 100 * 2 ** round)
      expect(pauseMs).toBeLessThanOrEqual(boundMs + 100)
      expect(pauseMs).toBeGreaterThanOrEqual(boundMs / 2)
    }
  })

  test('begins with short pauses again once something was heard', async () => {
    const { clock, calls, events, stream, callAt } = setUp()
    stream.add('a')
    await clock.advance()
    for (let round = 0; round < 6; round += 1) {
      callAt(round).break()
      await clock.advance(3_200)
    }
    const event: JobEvent = { jobId: 'a', event: { $case: 'state', value: 3 } }
    callAt(6).answer(event)
    await clock.advance()
    expect(events).toEqual([event])
    callAt(6).break()
    await clock.advance()
    await clock.advance(100)
    expect(calls).toHaveLength(8)
    expect(callAt(7).added).toEqual(['a'])
  })

  test('tells what is no matter of time, and rejects nowhere', async () => {
    const { clock, stream, faults, fail, callAt } = setUp()
    stream.add('a')
    await clock.advance()
    fail()
    callAt(0).answer({ jobId: 'a', event: { $case: 'state', value: 3 } })
    await clock.advance()
    expect(faults).toMatchObject([{ message: 'my fault' }])
    await clock.advance(100)
    expect(faults).toMatchObject([{ message: 'my fault' }, { message: 'no stream' }])
    stream.close()
  })

  test('is ended half a second after the last target, so that it keeps no process running', async () => {
    const { clock, stream, calls, callAt } = setUp()
    stream.add('a')
    await clock.advance()
    stream.remove('a', true)
    await clock.advance(499)
    stream.add('b')
    await clock.advance(1_000)
    expect(callAt(0).ended).toBe(false)
    stream.remove('b', true)
    await clock.advance(500)
    expect(callAt(0).ended).toBe(true)
    stream.add('c')
    await clock.advance()
    expect(calls).toHaveLength(2)
  })

  test('is not opened again where nothing is wanted any more, and ends in order when closed', async () => {
    const { clock, calls, stream, callAt } = setUp()
    stream.add('a')
    await clock.advance()
    callAt(0).break()
    await clock.advance()
    stream.remove('a', false)
    await clock.advance(60_000)
    expect(calls).toHaveLength(1)
    stream.add('b')
    await clock.advance()
    stream.close()
    expect(callAt(1).sent.at(-1)?.removeJobIds).toEqual(['b'])
    expect(callAt(1).ended).toBe(true)
    expect(clock.pendingTimers).toBe(0)
  })
})
