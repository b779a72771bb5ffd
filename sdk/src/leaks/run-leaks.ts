/** What one run has made and may leave behind. */
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises'
import type { LeakKind } from '@offstage/proto/leak-kinds'
import { type FollowedRun, type Run, startingRun } from '../runs/mod.ts'
import type { Leak } from './leak.ts'
import type { Made } from './place.ts'
import { quietly } from './quietly.ts'

/** Something that a run has made. */
export interface Candidate {
  readonly kind: Exclude<LeakKind, 'heap'>
  readonly made: Made
  isOpen(): boolean
}

/** At once, of one run: to read the stacks of so many takes a tenth of a second, by which others are held up. */
const CANDIDATES_MAX = 1_000
/** What is being closed when a run ends has so long to be. */
const SETTLE_MS = 50
const PAUSE_MS = 5

export interface Follower {
  /** Whether runs of the name are tracked. */
  tracks(name: string): boolean
  /** A run that has begun in no other. */
  began(name: string): void
  /** What a tracked run leaves; tells what of it are leaks. */
  left(run: Run, candidates: readonly Candidate[]): readonly Leak[]
  /** Takes them to where they are told. Never rejects. */
  tell(run: Run, leaks: readonly Leak[]): Promise<void> | undefined
  ended(name: string): void
}

export class RunLeaks implements FollowedRun {
  /** The innermost run around, it among them, that is tracked. */
  readonly tracked: RunLeaks | undefined
  /** Tells runs that began in no other apart. */
  readonly rootNumber: number
  readonly candidates = new Set<Candidate>()
  readonly #run: Run
  readonly #by: Follower

  constructor(run: Run, by: Follower) {
    const around = run.root === run ? undefined : runLeaks()
    this.#run = run
    this.#by = by
    this.rootNumber = around?.rootNumber ?? nextNumber()
    this.tracked = by.tracks(run.name) ? this : around?.tracked
    if (around === undefined) by.began(run.name)
  }

  ended(closed: Promise<void> | undefined): Promise<void> | undefined {
    if (this.tracked !== this) {
      this.#over()
      return closed
    }
    if (closed === undefined && this.#open.length === 0) return this.#tell([])
    return this.#settle(closed)
  }

  /** Whether no more of what it makes is followed. */
  get isFull(): boolean {
    return this.candidates.size >= CANDIDATES_MAX
  }

  get #open(): Candidate[] {
    return [...this.candidates].filter((each) => quietly(() => each.isOpen(), false))
  }

  async #settle(closed: Promise<void> | undefined): Promise<void> {
    await closed
    const untilMs = performance.now() + SETTLE_MS
    await turn()
    while (this.#open.length > 0 && performance.now() < untilMs) await delay(PAUSE_MS)
    await this.#tell(this.#open)
  }

  #tell(open: readonly Candidate[]): Promise<void> | undefined {
    this.candidates.clear()
    const leaks = quietly(() => this.#by.left(this.#run, open), [])
    const told = leaks.length > 0 ? this.#by.tell(this.#run, leaks) : undefined
    this.#over()
    return told
  }

  #over(): void {
    if (this.#run.root === this.#run) this.#by.ended(this.#run.name)
  }
}

let numbers = 0

function nextNumber(): number {
  numbers += 1
  return numbers
}

/** Of the run that the running code belongs to. */
export function runLeaks(): RunLeaks | undefined {
  const run = startingRun()
  return run?.isOver === false && run.followed instanceof RunLeaks ? run.followed : undefined
}
