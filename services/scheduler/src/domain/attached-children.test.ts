import { expect, test } from 'vitest'
import { parentEnd, parentOutcome, type WaitingParent } from './attached-children.ts'
import { JobState } from './job-state.ts'

const parent: WaitingParent = {
  id: 'p',
  attachedCount: 3,
  policy: 'all',
  cancelRequested: false,
  isOverdue: false,
  hasOpen: true,
  hasFailed: false,
}

test.each<[string, Partial<WaitingParent>, ReturnType<typeof parentOutcome>]>([
  ['goes on while one has not ended', {}, 'waits'],
  ['ends with the last', { hasOpen: false }, 'succeeds'],
  ['all: waits though one failed', { hasFailed: true }, 'waits'],
  ['all: fails with the last', { hasFailed: true, hasOpen: false }, 'fails-by-child'],
  ['first: fails with the first', { hasFailed: true, policy: 'first' }, 'fails-by-child'],
  ['ignore: waits', { hasFailed: true, policy: 'ignore' }, 'waits'],
  ['ignore: succeeds', { hasFailed: true, policy: 'ignore', hasOpen: false }, 'succeeds'],
  ['past its deadline it fails', { isOverdue: true }, 'fails-by-deadline'],
  ['not where all have ended', { isOverdue: true, hasOpen: false }, 'succeeds'],
  ['canceled it waits', { cancelRequested: true, hasFailed: true, policy: 'first' }, 'waits'],
  ['or too late', { cancelRequested: true, hasOpen: false }, 'succeeds'],
  ['and is canceled', { cancelRequested: true, hasFailed: true, hasOpen: false }, 'is-canceled'],
])('a parent whose handler has returned: %s', (_, more, outcome) => {
  expect(parentOutcome({ ...parent, ...more })).toBe(outcome)
})

test('the error of a parent names the first that did not succeed, and how many there are', () => {
  const children = [
    { id: 'a', method: 'm', state: JobState.failed, brief: 'no' },
    { id: 'b', method: 'm', state: JobState.canceled, brief: '' },
  ]
  const { state, error } = parentEnd(parent, 'fails-by-child', { children, count: 12 })
  expect(state).toBe(JobState.failed)
  expect(error).toMatchObject({
    brief: '12 attached children did not succeed, the first: job a (m) failed: no',
    detail: 'job a (m) failed: no\njob b (m) was canceled\nand 10 more',
    retryable: false,
  })
})
