import { readFileSync } from 'node:fs'
import { RIGHTS } from '@offstage/kit/auth'
import { expect, test } from 'vitest'

test('the table of rights is the one the services ask', () => {
  const text = readFileSync(new URL('rights.md', import.meta.url), 'utf8')
  const rows = [...text.matchAll(/^\| `([\w.]+)` \| (.*) \| (.*) \|$/gm)]
  const rolesOf = (cell = '') => (cell === '–' ? [] : cell.split(', '))
  const told = rows.map(([, right, own, others]) => [right, rolesOf(own), rolesOf(others)])
  const asked = Object.entries(RIGHTS).map(([right, { own, others }]) => [
    right,
    own.filter((role) => role !== 'admin'),
    [...others],
  ])
  expect(told).toEqual(asked)
})
