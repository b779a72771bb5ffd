import { WaitCause } from '@offstage/proto/jobs'
import { expect, test } from 'vitest'
import { type Circumstances, gateOf, WAIT_CAUSES } from './gate.ts'

const ALL = {
  children: { cause: 'children', jobIds: [] },
  key: { cause: 'key', jobIds: [] },
  due: { cause: 'not-due', dueTime: undefined, isRetry: false },
  paused: { cause: 'paused', pause: undefined },
  room: { cause: 'no-executor', executors: [] },
} as const satisfies Circumstances

test('a job nothing holds back may run now', () => {
  expect(gateOf({})).toBeUndefined()
})

test('of several things that hold a job back, the one that has to pass first is named', () => {
  const order = ['children', 'key', 'due', 'paused', 'room'] as const
  const told = order.map((_, index) =>
    gateOf(Object.fromEntries(order.slice(index).map((name) => [name, ALL[name]]))),
  )
  expect(told).toEqual(order.map((name) => ALL[name]))
})

test('the causes are those of the contract', () => {
  const named = WAIT_CAUSES.map((cause) => `WAIT_CAUSE_${cause.toUpperCase().replace('-', '_')}`)
  const others = ['UNSPECIFIED', 'NONE'].map((name) => `WAIT_CAUSE_${name}`)
  const wire = Object.keys(WaitCause).filter((name) => name.startsWith('WAIT_CAUSE_'))
  expect([...others, ...named].sort()).toEqual(wire.sort())
})
