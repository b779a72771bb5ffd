import { describe, expect, test } from 'vitest'
import { type Declaration, decide, type Found, type Said } from './declared-schedule.ts'
import type { Timing } from './due-times.ts'
import type { Schedule, ScheduleTerms } from './schedule.ts'

const TIMING: Timing = {
  ...{ crons: ['0 2 * * *'], intervalMs: undefined, anchorTime: undefined, excludedCrons: [] },
  ...{ timeZone: 'UTC', beginTime: undefined, endTime: undefined, jitterMs: 0 },
}
const JOB: ScheduleTerms['job'] = {
  ...{ method: 'a', params: { type: '', inline: Buffer.from('{}') }, lane: 0, priority: 0 },
  ...{ pool: '', key: '', keyConflict: 'refuse', labels: { a: '1', b: '2' }, options: undefined },
}
const TERMS: ScheduleTerms = {
  ...{ job: JOB, timing: TIMING, overlap: 'skip', catchUpMs: 1, catchUpMax: 1 },
  pauseAfterFailures: 0,
}

interface Given {
  readonly timing?: Partial<Timing>
  readonly terms?: Partial<ScheduleTerms>
  readonly isPaused?: boolean
}
const terms = ({ timing, terms }: Given = {}): ScheduleTerms => ({
  ...{ ...TERMS, ...terms },
  timing: { ...TIMING, ...timing },
})
const said = (given: Given = {}): Said => ({
  terms: terms(given),
  isPaused: given.isPaused ?? false,
})
const declaration = (version: number, of: Said | undefined): Declaration => ({
  ...{ id: 'a', version, runAs: '' },
  said: of,
})
const schedule = (given: Given & { predefined?: boolean } = {}) =>
  ({
    terms: terms(given),
    predefined: given.predefined ?? true,
    pauseReason: given.isPaused ? 'by hand' : undefined,
  }) as Schedule
const found = (there: Schedule | undefined, version?: number, before?: Said): Found => ({
  schedule: there,
  declared: version === undefined ? undefined : { version, said: before },
})

describe.each<[string, number, Said | undefined, Found, string]>([
  ['nothing there: it is created', 1, said(), found(undefined), 'create'],
  ['nothing there, and removed: noted', 1, undefined, found(undefined), 'remove'],
  ['the same version: nothing', 2, said(), found(schedule(), 2, said()), 'unchanged'],
  ['a lower version: nothing', 1, said(), found(schedule(), 2, said()), 'unchanged'],
  ['a lower version, removed: nothing', 1, undefined, found(schedule(), 2, said()), 'unchanged'],
  ['a higher version: changed', 3, said(), found(schedule(), 2, said()), 'change'],
  ['a higher version, removed: removed', 3, undefined, found(schedule(), 2, said()), 'remove'],
  ['deleted by hand, same version: nothing', 2, said(), found(undefined, 2, said()), 'unchanged'],
  ['deleted by hand, higher version: created', 3, said(), found(undefined, 2, said()), 'create'],
  ['removed by code, lower version: nothing', 1, said(), found(undefined, 2), 'unchanged'],
  ['removed by code, higher version: created', 3, said(), found(undefined, 2), 'create'],
  ['created by a call: taken', 1, said(), found(schedule({ predefined: false })), 'taken'],
  [
    'created by a call, removed: left',
    1,
    undefined,
    found(schedule({ predefined: false })),
    'remove',
  ],
])('%s', (_, version, now, there, kind) => {
  test('', () => expect(decide(declaration(version, now), there).kind).toBe(kind))
})

test('what was created by a call is not removed by code', () => {
  const there = found(schedule({ predefined: false }))
  expect(decide(declaration(1, undefined), there)).toEqual({ kind: 'remove', schedule: undefined })
})

const changeOf = (now: Said, there: Schedule, before: Said | undefined) => {
  const decision = decide(declaration(3, now), found(there, 2, before))
  return decision.kind === 'change' ? decision.change : expect.unreachable(decision.kind)
}
const NOTHING = { job: undefined, terms: undefined, isPaused: undefined }
const { job: _job, ...besideJob } = TERMS

test('a version that says the same changes nothing, whatever was changed by hand', () => {
  const byHand = schedule({
    ...{ timing: { crons: ['0 9 * * *'], timeZone: 'Asia/Tokyo' }, isPaused: true },
    terms: { overlap: 'allow', job: { ...JOB, key: 'by hand' } },
  })
  expect(changeOf(said(), byHand, said())).toEqual(NOTHING)
})

test('of a field that is said anew the code holds; the others stay as they were changed by hand', () => {
  const byHand = schedule({ timing: { timeZone: 'Asia/Tokyo', jitterMs: 5 }, isPaused: true })
  const now = said({ timing: { timeZone: 'UTC', crons: ['0 4 * * *'] }, terms: { catchUpMax: 9 } })
  expect(changeOf(now, byHand, said())).toEqual({
    ...NOTHING,
    terms: {
      ...{ ...besideJob, catchUpMax: 9 },
      timing: { ...TIMING, timeZone: 'Asia/Tokyo', jitterMs: 5, crons: ['0 4 * * *'] },
    },
  })
})

test('what it is due by changes as one: no anchor of an operator stays with expressions of the code', () => {
  const anchorTime = new Date(0)
  const byHand = schedule({ timing: { crons: [], intervalMs: 1_000, anchorTime } })
  const { terms: changed } = changeOf(said({ timing: { crons: ['0 4 * * *'] } }), byHand, said())
  expect(changed?.timing).toEqual({ ...TIMING, crons: ['0 4 * * *'] })
})

test('a job is another one by any of its parts, and the same by what it says, however it is stored', () => {
  const stored = { ...JOB, params: { type: '', inline: new Uint8Array(Buffer.from('{}')) } }
  const sorted = { ...stored, labels: { b: '2', a: '1' } }
  expect(changeOf(said(), schedule(), said({ terms: { job: sorted } })).job).toBeUndefined()
  const other = { ...JOB, params: { type: '', inline: Buffer.from('{"n":1}') } }
  const now = said({ terms: { job: other } })
  expect(changeOf(now, schedule(), said())).toEqual({ ...NOTHING, job: other })
  expect(changeOf(now, schedule({ terms: { job: other } }), said())).toEqual(NOTHING)
})

test.each<[string, boolean | undefined, boolean, boolean, boolean | undefined]>([
  ['said anew: it is paused', false, false, true, true],
  ['said anew, and paused by hand: it stays so', false, true, true, undefined],
  ['no longer said: it goes on', true, true, false, false],
  ['paused by hand, and not said: it stays so', false, true, false, undefined],
  ['resumed by hand, and said as before: it goes on', true, false, true, undefined],
])('a pause that is %s', (_, before, isNow, now, wanted) => {
  const there = schedule({ isPaused: isNow })
  const change = changeOf(said({ isPaused: now }), there, said({ isPaused: before ?? false }))
  expect(change.isPaused).toBe(wanted)
})
