/** What is set for a namespace is told as it is in force, changed as it was meant, and on record (row J12). */
import { durationFrom } from '@offstage/proto/durations'
import { JobKind, JobState, type Namespace, type Retention } from '@offstage/proto/jobs'
import { expect, test } from 'vitest'
import type { Draft } from '../testing/draft.ts'
import { connectNamespaces } from '../testing/namespaces.ts'
import { start } from '../testing/on-postgres.ts'
import type { Bundle } from '../testing/setup.ts'
import { updateNamespace } from '../testing/update-namespace.ts'

const { JOB_KIND_PROGRAM: PROGRAM, JOB_KIND_SYSTEM: SYSTEM } = JobKind
const { JOB_STATE_SUCCEEDED: SUCCEEDED, JOB_STATE_FAILED: FAILED } = JobState
const DAY_MS = 24 * 3_600_000

async function begin() {
  const it = await start()
  const { address } = it.scheduler
  const namespaces = connectNamespaces(address)
  return {
    ...it,
    address,
    namespaces,
    async [Symbol.asyncDispose]() {
      namespaces[Symbol.dispose]()
      await it[Symbol.asyncDispose]()
    },
  }
}

const told = (rules: readonly Retention[] | undefined, kind: JobKind, state: JobState) => {
  const rule = rules?.find((each) => each.kind === kind && each.state === state)
  return rule && [Number(rule.maxCount), Number(rule.maxAge?.seconds) / 86_400]
}

async function actsOf({ database }: Pick<Bundle, 'database'>): Promise<unknown[]> {
  const text = 'SELECT actor, call, targets FROM offstage.acts ORDER BY id'
  return (await database.query({ name: '', text })).rows
}

test('where nothing was set the documented defaults are in force, of every kind and end', async () => {
  await using it = await begin()
  const { retention } = (await it.namespaces.get()) ?? {}
  expect(retention).toHaveLength(9)
  expect(told(retention, PROGRAM, SUCCEEDED)).toEqual([1_000_000, 7])
  expect(told(retention, PROGRAM, FAILED)).toEqual([1_000_000, 30])
  expect(told(retention, SYSTEM, SUCCEEDED)).toEqual([100_000, 3])
  expect(told(retention, SYSTEM, FAILED)).toEqual([100_000, 30])
})

test('a rule of a kind counts for each end that has none of its own, and what is not named has its default again', async () => {
  await using it = await begin()
  const rules = [
    { kind: PROGRAM, maxCount: -1n, maxAge: durationFrom(DAY_MS) },
    { kind: PROGRAM, state: FAILED, maxCount: 5n },
  ]
  const first = await updateNamespace(it.address, { retention: rules })
  expect(told(first?.retention, PROGRAM, SUCCEEDED)).toEqual([-1, 1])
  expect(told(first?.retention, PROGRAM, FAILED)).toEqual([5, 30])
  expect(told(first?.retention, SYSTEM, SUCCEEDED)).toEqual([100_000, 3])
  expect(await it.namespaces.get()).toEqual(first)

  const second = await updateNamespace(it.address, {}, { mask: ['retention'] })
  expect(told(second?.retention, PROGRAM, FAILED)).toEqual([1_000_000, 30])
  expect(second?.etag).not.toBe(first?.etag)
  const by = { actor: 'dev', call: 'NamespaceService.UpdateNamespace', targets: ['default'] }
  expect(await actsOf(it)).toEqual([by, by])
})

test('rules that say what the defaults say are none, so that they go with the defaults of a later release', async () => {
  await using it = await begin()
  const { retention } = (await it.namespaces.get()) ?? {}
  await updateNamespace(it.address, { retention })
  const text = 'SELECT count(*) AS n FROM offstage.retention'
  expect((await it.database.query({ name: '', text })).rows).toEqual([{ n: 0 }])
})

test('what was changed since it was read is not changed by its etag, and of two at once one wins', async () => {
  await using it = await begin()
  const { etag } = (await it.namespaces.get()) ?? {}
  const rule = (maxCount: bigint) => ({ etag, retention: [{ kind: PROGRAM, maxCount }] })
  const outcomes = await Promise.allSettled(
    [1n, 2n, 3n, 4n].map((count) => updateNamespace(it.address, rule(count))),
  )
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  await expect(updateNamespace(it.address, rule(9n))).rejects.toThrow('changed since')
  // A pause is a change too.
  const { etag: before } = (await it.namespaces.get()) ?? {}
  await it.namespaces.pauseNamespace()
  await expect(updateNamespace(it.address, { etag: before })).rejects.toThrow('changed since')
  expect(await updateNamespace(it.address, { retention: [] })).toMatchObject({ paused: true })
})

test('namespaces have settings of their own, and only administrators change them', async () => {
  await using it = await begin()
  const change = { name: 'other', retention: [{ kind: PROGRAM, maxCount: 3n }] }
  await updateNamespace(it.address, change)
  expect(told((await it.namespaces.get('other'))?.retention, PROGRAM, FAILED)).toEqual([3, 30])
  expect(told((await it.namespaces.get())?.retention, PROGRAM, FAILED)).toEqual([1_000_000, 30])
  for (const user of ['olga:operator', 'ann', 'rita:reader']) {
    await expect(updateNamespace(it.address, change, { user })).rejects.toThrow('needs one of')
  }
})

const WRONG: readonly (readonly [field: string, change: Draft<Namespace>])[] = [
  ['retention[0].kind', { retention: [{ maxCount: 1n }] }],
  ['retention[0].state', { retention: [{ kind: PROGRAM, state: 2 }] }],
  ['retention[0].max_count', { retention: [{ kind: PROGRAM, maxCount: -2n }] }],
  ['retention[0].max_age', { retention: [{ kind: PROGRAM, maxAge: durationFrom(-1) }] }],
  ['retention[1] is for what', { retention: [{ kind: PROGRAM }, { kind: PROGRAM }] }],
  ['retention must be at most', { retention: Array.from({ length: 99 }, () => ({})) }],
  ['namespace', { name: 'no namespace' }],
]

test('a field that is wrong is named, and nothing is changed', async () => {
  await using it = await begin()
  for (const [field, change] of WRONG) {
    await expect(updateNamespace(it.address, change)).rejects.toThrow(field)
  }
  const wrong = updateNamespace(it.address, {}, { mask: ['retention', 'paused'] })
  await expect(wrong).rejects.toThrow('update_mask')
  await expect(updateNamespace(it.address, undefined)).rejects.toThrow('namespace')
  expect(await it.namespaces.get()).toMatchObject({ etag: '0' })
})
