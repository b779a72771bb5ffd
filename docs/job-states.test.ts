import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import {
  BIRTHS,
  isTerminal,
  JobState,
  TRANSITIONS,
} from '../services/scheduler/src/domain/job-state.ts'

const text = readFileSync(new URL('job-states.md', import.meta.url), 'utf8')

const NAMES = new Map(Object.entries(JobState).map(([name, state]) => [state, name.toUpperCase()]))

const nameOf = (state: JobState) => NAMES.get(state)

/** Every move as `FROM --> TO: name`, by the code. */
const MOVES = Object.entries(TRANSITIONS).flatMap(([name, { from, to }]) =>
  from.map((state) => `${nameOf(state)} --> ${nameOf(to)}: ${name}`),
)

test('the picture draws every move of the code and no other', () => {
  const drawn = [...text.matchAll(/^ {2}([A-Z]+ --> [A-Z]+: \w+)$/gm)].map(([, edge]) => edge)
  expect(drawn.toSorted()).toEqual(MOVES.toSorted())
})

test('the picture draws every state a start records a job in, and every one a job ends in', () => {
  const born = [...text.matchAll(/^ {2}\[\*\] --> ([A-Z]+): /gm)].map(([, name]) => name)
  expect(born.toSorted()).toEqual(Object.values(BIRTHS).map(nameOf).toSorted())
  const ended = [...text.matchAll(/^ {2}([A-Z]+) --> \[\*\]$/gm)].map(([, name]) => name)
  const terminal = Object.values(JobState).filter(isTerminal)
  expect(ended.toSorted()).toEqual(terminal.map(nameOf).toSorted())
})

test('the table of moves tells every move of the code and no other', () => {
  const rows = text.matchAll(/^\| `(\w+)` *\| ([A-Z, ]+?) *\| ([A-Z]+) *\|/gm)
  const told = [...rows].flatMap(([, name, from = '', to]) =>
    from.split(', ').map((state) => `${state} --> ${to}: ${name}`),
  )
  expect(told.toSorted()).toEqual(MOVES.toSorted())
})

test('the table of states has the numbers of the database', () => {
  const rows = [...text.matchAll(/^\| `([A-Z]+)` *\| (\d) *\|/gm)]
  expect(rows.map(([, name, state]) => [Number(state), name])).toEqual([...NAMES])
})
