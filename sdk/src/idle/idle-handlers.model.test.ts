/**
 * Random scripts of attaches, detaches, blocks, long calls, disposals and clock steps, with handlers that do the same
 * from inside, are played to the real table and to the reference model; both must tell the same story.
 */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  type Action,
  attachmentsMax,
  ReferenceModel,
  type Work,
  type World,
} from '../testing/reference-model.ts'
import { createActivity } from './activity.ts'
import { type IdleHandlers, idleHandlers } from './idle-handlers.ts'
import { createManualClock, type ManualClock } from './manual-clock.ts'
import type { IdleOwner, OwnerLevel } from './owner.ts'

const levels: readonly OwnerLevel[] = ['application', 'module', 'form', 'form']
const handlerCount = 5

/** The real table behind the same verbs as the model. */
class RealWorld implements World {
  readonly clock: ManualClock = createManualClock()
  readonly log: string[] = []
  readonly table: IdleHandlers
  readonly #slots: IdleOwner[]
  readonly #handlers: (() => unknown)[]
  readonly #blocks: Disposable[] = []
  readonly #calls: Disposable[] = []
  /** Whether an asynchronous handler waits for its time to pass. */
  isWaiting = false

  constructor(works: readonly Work[]) {
    const onError = ({ handler }: { handler: unknown }) =>
      this.#tell(`${this.#handlers.indexOf(handler as () => unknown)} failed`)
    this.table = idleHandlers({ clock: this.clock, activity: createActivity(), onError })
    this.#slots = levels.map((level) => this.table.owner(level))
    this.#handlers = works.map((work, index) => () => this.#run(work, index))
  }

  attach(slot: number, handler: number, intervalMs: number, once: boolean) {
    if (this.table.size >= attachmentsMax) throw new Error('crowded')
    this.table.attach(this.#owner(slot), this.#handler(handler), { intervalMs, once })
  }

  detach(slot: number, handler: number) {
    this.table.detach(this.#owner(slot), this.#handler(handler))
  }

  dispose(slot: number) {
    this.#owner(slot).dispose()
  }

  reopen(slot: number) {
    this.#slots[slot] = this.table.owner(levels[slot] ?? 'form')
  }

  block() {
    this.#blocks.push(this.table.blockAll())
  }

  unblock() {
    this.#blocks.shift()?.[Symbol.dispose]()
  }

  beginCall() {
    this.#calls.push(this.table.activity.begin())
  }

  endCall() {
    this.#calls.shift()?.[Symbol.dispose]()
  }

  isAttached(slot: number, handler: number): boolean {
    return this.table.isAttached(this.#owner(slot), this.#handler(handler))
  }

  #run(work: Work, index: number): unknown {
    this.#tell(`${index} begins`)
    work.first(this)
    this.clock.jump(work.jumpMs)
    const finish = () => {
      work.last(this)
      if (work.fails) throw new Error('as told')
      this.#tell(`${index} ends`)
    }
    if (work.waitMs === undefined) return finish()
    this.isWaiting = true
    return this.clock.delay(work.waitMs).then(() => {
      this.isWaiting = false
      finish()
    })
  }

  #tell(event: string) {
    this.log.push(`${this.clock.now()}: ${event}`)
  }

  #owner(slot: number): IdleOwner {
    const owner = this.#slots[slot]
    if (owner === undefined) throw new Error(`no slot ${slot}`)
    return owner
  }

  #handler(index: number): () => unknown {
    const handler = this.#handlers[index]
    if (handler === undefined) throw new Error(`no handler ${index}`)
    return handler
  }
}

// Coarse steps make coincidences frequent. Those within handlers outlast the table's slice of 8 ms, which the model
// does not know.
const coarseMs = (minMs: number, maxMs: number) =>
  fc.integer({ min: minMs / 10, max: maxMs / 10 }).map((tens) => tens * 10)
const slot = fc.nat({ max: levels.length - 1 })
const homeOf = (handler: number) => handler % levels.length

/** Something to do to the table, most often to the given handlers on their home owners. */
function action(handlers: fc.Arbitrary<number>): fc.Arbitrary<Action> {
  const target = handlers.chain((handler) =>
    fc.record({
      handler: fc.constant(handler),
      slot: fc.oneof({ arbitrary: fc.constant(homeOf(handler)), weight: 4 }, slot),
    }),
  )
  const attach = fc
    .tuple(target, coarseMs(100, 400), fc.boolean())
    .map(
      ([on, intervalMs, once]): Action =>
        named(
          `attach ${on.handler} to ${on.slot}, ${intervalMs} ms${once ? ', once' : ''}`,
          (world) => world.attach(on.slot, on.handler, intervalMs, once),
        ),
    )
  const detach = target.map((on) =>
    named(`detach ${on.handler} from ${on.slot}`, (world) => world.detach(on.slot, on.handler)),
  )
  const dispose = slot.map((at) => named(`dispose ${at}`, (world) => world.dispose(at)))
  const reopen = slot.map((at) => named(`reopen ${at}`, (world) => world.reopen(at)))
  return fc.oneof(
    { arbitrary: attach, weight: 6 },
    { arbitrary: detach, weight: 2 },
    { arbitrary: dispose, weight: 1 },
    { arbitrary: reopen, weight: 1 },
    fc.constantFrom<Action[]>(
      named('block', (world) => world.block()),
      named('unblock', (world) => world.unblock()),
      named('begin call', (world) => world.beginCall()),
      named('end call', (world) => world.endCall()),
    ),
  )
}

/** Gives an action a text for the report of a failure. */
function named(text: string, act: Action): Action {
  return Object.assign((world: World) => act(world), { [fc.toStringMethod]: () => text })
}

const nothing = named('nothing', () => undefined)

function work(handler: number): fc.Arbitrary<Work> {
  const anyHandler = fc.oneof(fc.constant(handler), fc.nat({ max: handlerCount - 1 }))
  const sometimes = fc.oneof({ arbitrary: fc.constant(nothing), weight: 2 }, action(anyHandler))
  return fc.record({
    first: sometimes,
    jumpMs: fc.oneof({ arbitrary: fc.constant(0), weight: 2 }, coarseMs(10, 150)),
    waitMs: fc.oneof(fc.constant(undefined), coarseMs(10, 350)),
    last: sometimes,
    fails: fc.integer({ min: 0, max: 4 }).map((n) => n === 0),
  })
}

type Step =
  | { readonly kind: 'act'; readonly act: Action }
  | { readonly kind: 'advance' | 'jump'; readonly ms: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: coarseMs(0, 600) }),
    weight: 4,
  },
  {
    arbitrary: fc.record({ kind: fc.constant('jump' as const), ms: coarseMs(10, 300) }),
    weight: 1,
  },
  {
    arbitrary: action(fc.nat({ max: handlerCount - 1 })).map((act) => ({
      kind: 'act' as const,
      act,
    })),
    weight: 6,
  },
)

/** Whether the world let the script do it. */
function attempt(act: Action, world: World): boolean {
  try {
    act(world)
    return true
  } catch {
    return false
  }
}

/** All pairs of slot and handler that are attached. */
function attachedIn(world: RealWorld | ReferenceModel): string[] {
  const handlers = Array.from({ length: handlerCount }, (_, handler) => handler)
  const pairs = levels.flatMap((_, at) => handlers.map((handler) => ({ at, handler })))
  return pairs
    .filter(({ at, handler }) => world.isAttached(at, handler))
    .map(({ at, handler }) => `${handler} on ${at}`)
}

async function play(one: Step, real: RealWorld, model: ReferenceModel) {
  if (one.kind === 'act') {
    expect(attempt(one.act, real)).toBe(attempt(one.act, model))
  } else if (one.kind === 'jump') {
    real.clock.jump(one.ms)
    model.nowMs += one.ms
  } else {
    await real.clock.advance(one.ms)
    model.advance(one.ms)
  }
}

test('the table and the reference model tell the same story, whatever happens to them (rows I1 to I4)', async () => {
  const works = fc.tuple(...Array.from({ length: handlerCount }, (_, index) => work(index)))
  const script = fc.array(step, { minLength: 10, maxLength: 60, size: 'max' })
  let runs = 0
  await fc.assert(
    fc.asyncProperty(works, script, async (works, script) => {
      const real = new RealWorld(works)
      const model = new ReferenceModel(levels, works)
      for (const one of script) {
        await play(one, real, model)
        expect(real.log).toEqual(model.log)
        expect(real.clock.now()).toBe(model.nowMs)
        expect(real.table.size).toBe(model.size)
        expect(attachedIn(real)).toEqual(attachedIn(model))
        // The table's own timer, and the one of the asynchronous handler that runs.
        expect(real.clock.pendingTimers).toBeLessThanOrEqual(real.isWaiting ? 2 : 1)
      }
      runs += model.log.length
    }),
    { numRuns: 400 },
  )
  // Scripts in which hardly anything ran would show nothing.
  expect(runs).toBeGreaterThan(4_000)
})

test('a handler late for a beat of tenths of milliseconds runs once, however rounding falls (row I2)', async () => {
  // Each run begins a call, so that another at the same moment would follow the end of the call.
  const first = (world: World) => world.beginCall()
  const works = [{ first, jumpMs: 0, waitMs: undefined, last: nothing, fails: false }]
  const tenths = fc.integer({ min: 1_000, max: 20_000 })
  const beats = fc.integer({ min: 1, max: 100 })
  await fc.assert(
    fc.asyncProperty(fc.nat({ max: 10_000 }), tenths, beats, async (startMs, tenths, beats) => {
      const real = new RealWorld(works)
      const model = new ReferenceModel(levels, works)
      const nowMs = Math.ceil(startMs + (beats * tenths) / 10)
      const script: Step[] = [
        { kind: 'jump', ms: startMs },
        { kind: 'act', act: (world) => world.attach(0, 0, tenths / 10, false) },
        { kind: 'jump', ms: nowMs - startMs },
        { kind: 'advance', ms: 0 },
        { kind: 'act', act: (world) => world.endCall() },
        { kind: 'advance', ms: 0 },
      ]
      for (const one of script) await play(one, real, model)
      expect(real.log).toEqual([`${nowMs}: 0 begins`, `${nowMs}: 0 ends`])
      expect(model.log).toEqual(real.log)
    }),
    { numRuns: 200, examples: [[997, 1_283, 30]] },
  )
})
