/**
 * Reusable values beside bare lru-cache, async-cache-dedupe and bentocache, in one run: hits with
 * no, one and two primitive parameters and with a flat structure, a miss, 1,000 callers on one
 * missing key, and memory at a million entries. Ends with an error when a goal is missed.
 *
 * Libraries that take a text as the key are given what their users write: a template of two
 * parameters, JSON of a structure. Asynchronous ones are awaited call by call, so their figures
 * include a turn of the microtask queue.
 *
 * Run: node bench/values/main.ts
 */
import { measureMemory } from './memory.ts'
import {
  ASYNC,
  BENTO,
  BYPASS,
  compareContended,
  compareHit,
  compareMiss,
  computations,
  DEDUPE,
  hits,
  LRU,
  SYNC,
} from './scenarios.ts'
import { type Figures, median, ratio } from './timing.ts'

const COLUMNS = [LRU, SYNC, ASYNC, DEDUPE, BENTO]

function printRow(title: string, cells: readonly string[]): void {
  console.log(title.padEnd(28) + cells.map((cell) => cell.padStart(20)).join(''))
}

function printFigures(title: string, figures: Figures): void {
  const cells = COLUMNS.map((name) => {
    const rounds = figures.get(name)
    return rounds === undefined ? '-' : `${median(rounds).toFixed(0)} ns`
  })
  printRow(title, cells)
}

interface Goal {
  readonly title: string
  readonly measured: number
  readonly max: number
}

function isMet({ title, measured, max }: Goal): boolean {
  const met = measured <= max
  console.log(`${met ? 'met   ' : 'MISSED'} ${title}: ${measured.toFixed(2)} (at most ${max})`)
  return met
}

printRow('per call, median of rounds', COLUMNS)
const results = new Map<string, Figures>()
for (const [title, hit] of Object.entries(hits)) {
  const figures = await compareHit(hit)
  results.set(title, figures)
  printFigures(title, figures)
}
printFigures('miss', await compareMiss())
const contended = await compareContended()
printFigures('1,000 callers, one key', contended)
printFigures("  unfreezable: 'bypass'", new Map([[ASYNC, contended.get(BYPASS) ?? []]]))

const memory = await measureMemory()
const cells = COLUMNS.map((name) => (memory.has(name) ? `${memory.get(name)} B` : '-'))
printRow('memory of an entry', cells)

const ratioIn = (title: string, name: string, other: string) => {
  const figures = results.get(title)
  return figures === undefined ? Number.NaN : ratio(figures, name, other)
}

console.log('\nGoals (times as long, or as often, as the other)')
const goals = [
  {
    title: 'hit with one primitive, of a bare lru-cache get',
    measured: ratioIn('hit, one primitive', SYNC, LRU),
    max: 2,
  },
  {
    title: 'hit with a flat structure, of JSON.stringify and a bare lru-cache get',
    measured: ratioIn('hit, flat structure', SYNC, LRU),
    max: 1,
  },
  {
    title: 'computations for 1,000 callers on one missing key',
    measured: Math.max(...[ASYNC, BYPASS].map((name) => computations.get(name) ?? Number.NaN)),
    max: 1,
  },
  {
    title: '1,000 callers on one missing key, of async-cache-dedupe',
    measured: ratio(contended, ASYNC, DEDUPE),
    max: 1,
  },
].map(isMet)
const bypassing = ratio(contended, BYPASS, DEDUPE).toFixed(2)
console.log(
  `       with unfreezable: 'bypass', where a caller may come to need a value of its own: ${bypassing}`,
)
if (goals.includes(false)) process.exitCode = 1
