/**
 * What one firing of an idle handler costs as the table grows. Expected is O(log n): from 100 to 10,000 handlers
 * log2 n doubles, so the cost should about double, where a table that looks through all its handlers would cost a
 * hundred times as much. The same run shows such a table, for comparison.
 *
 * Sizes take turns over several rounds, and the median round counts, so that a busy machine troubles all alike.
 * Ends with an error when the growth from 100 to 10,000 handlers is beyond the goal.
 *
 * Run: node bench/idle/main.ts
 */

import { type IdleClock, idleHandlers } from '@offstage/sdk/idle'

const sizes = [100, 1_000, 10_000, 100_000]
const rounds = 5
const firingsPerRound = 100_000
/** Growth of the cost beyond that of log2 n which caches and allocation may account for. */
const growthOverLogMax = 3

/** A clock with room for the table's one timer; time passes by going straight to it. */
class BenchClock implements IdleClock {
  #nowMs = 0
  #wake: (() => void) | undefined
  #wakeAtMs = 0

  now(): number {
    return this.#nowMs
  }

  startTimer(wake: () => void, delayMs: number) {
    this.#wake = wake
    this.#wakeAtMs = this.#nowMs + delayMs
    const cancel = () => {
      this.#wake = undefined
    }
    return { cancel }
  }

  fireNext(): void {
    const wake = this.#wake
    if (wake === undefined) throw new Error('the table set no timer')
    this.#wake = undefined
    this.#nowMs = this.#wakeAtMs
    wake()
  }

  skip(ms: number): void {
    this.#nowMs += ms
  }
}

/** Makes handlers, a closure each, that count their runs. */
class Counter {
  total = 0

  handler(): () => void {
    return () => {
      this.total += 1
    }
  }
}

interface Subject {
  /** Runs handlers until `count` of them have been fired. */
  fire(count: number): void
}

/** Handlers with intervals spread so that on average one is due in each wake-up, whatever their number. */
function spreadTable(handlerCount: number): Subject {
  const clock = new BenchClock()
  const table = idleHandlers({ clock })
  const runs = new Counter()
  const form = table.owner('form')
  for (let n = 0; n < handlerCount; n += 1) {
    table.attach(form, runs.handler(), { intervalMs: intervalOf(n, handlerCount) })
  }
  return {
    fire(count) {
      for (const until = runs.total + count; runs.total < until; ) clock.fireNext()
    },
  }
}

/** All handlers due together, as after a long call: each wake-up sorts and runs them all. */
function crowdedTable(handlerCount: number): Subject {
  const clock = new BenchClock()
  const table = idleHandlers({ clock })
  const runs = new Counter()
  const owners = [table.owner('form'), table.owner('module'), table.owner('application')] as const
  for (let n = 0; n < handlerCount; n += 1) {
    const owner = owners[n % 3] ?? owners[0]
    table.attach(owner, runs.handler(), { intervalMs: intervalOf(n, handlerCount) })
  }
  return {
    fire(count) {
      for (const until = runs.total + count; runs.total < until; ) {
        clock.skip(4 * handlerCount)
        clock.fireNext()
      }
    },
  }
}

/** The simplest table there could be: looks through all handlers for the next one. */
function scannedTable(handlerCount: number): Subject {
  const due = Float64Array.from({ length: handlerCount }, (_, n) => intervalOf(n, handlerCount))
  const intervals = due.slice()
  const runs = new Counter()
  const handlers = Array.from({ length: handlerCount }, () => runs.handler())
  return {
    fire(count) {
      for (const until = runs.total + count; runs.total < until; ) {
        let next = 0
        for (let n = 1; n < handlerCount; n += 1) if ((due[n] ?? 0) < (due[next] ?? 0)) next = n
        due[next] = (due[next] ?? 0) + (intervals[next] ?? 0)
        handlers[next]?.()
      }
    },
  }
}

/** Intervals in [n, 3n) ms, but 100 ms at least, in scrambled order and the same in each run. */
function intervalOf(n: number, handlerCount: number): number {
  const scrambled = ((n * 2_654_435_761) % 2 ** 32) / 2 ** 32
  return Math.max(100, handlerCount) * (1 + 2 * scrambled)
}

/** Median nanoseconds per firing for each size. */
function measure(create: (handlerCount: number) => Subject, firingsOf: (n: number) => number) {
  const subjects = sizes.map((size) => ({ size, subject: create(size), costs: [] as number[] }))
  for (const { size, subject } of subjects) subject.fire(firingsOf(size))
  for (let round = 0; round < rounds; round += 1) {
    for (const { size, subject, costs } of subjects) {
      const count = firingsOf(size)
      const beganAtMs = performance.now()
      subject.fire(count)
      costs.push(((performance.now() - beganAtMs) * 1e6) / count)
    }
  }
  return subjects.map(({ costs }) => costs.sort((a, b) => a - b)[rounds >> 1] ?? Number.NaN)
}

/** Prints one table of results; returns the growth of the cost over that of log2 n, from 100 to 10,000. */
function print(title: string, costs: readonly number[]): number {
  const base = costs[0] ?? Number.NaN
  console.log(`\n${title}`)
  console.log('  handlers   ns per firing   growth   growth of log2 n   growth of n')
  sizes.forEach((size, index) => {
    const cells = [
      size.toLocaleString('en').padStart(10),
      (costs[index] ?? Number.NaN).toFixed(0).padStart(15),
      `${((costs[index] ?? Number.NaN) / base).toFixed(2)}×`.padStart(8),
      `${(Math.log2(size) / Math.log2(100)).toFixed(2)}×`.padStart(18),
      `${size / 100}×`.padStart(13),
    ]
    console.log(cells.join(' '))
  })
  const tenThousand = costs[sizes.indexOf(10_000)] ?? Number.NaN
  return tenThousand / base / (Math.log2(10_000) / Math.log2(100))
}

const alone = print(
  'One due at a time: each firing is a wake-up of its own',
  measure(spreadTable, () => firingsPerRound),
)
const together = print(
  'All due together, over three levels of owners',
  measure(crowdedTable, (size) => Math.max(size, firingsPerRound)),
)
print(
  'For comparison: a table that scans all handlers (no timers, levels or owners)',
  measure(scannedTable, (size) => Math.ceil(2_000_000 / size)),
)

const worst = Math.max(alone, together)
const verdict = worst <= growthOverLogMax ? 'met' : 'MISSED'
console.log(
  `\nGoal: from 100 to 10,000 handlers the cost grows at most ${growthOverLogMax} times as much as log2 n: ` +
    `${alone.toFixed(2)} one at a time, ${together.toFixed(2)} together: ${verdict}`,
)
if (verdict !== 'met') process.exitCode = 1
