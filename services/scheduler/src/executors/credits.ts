import type { Violation } from '@offstage/proto/field-rules'
import { SLOT_LANES, type SlotLane } from '../domain/lane.ts'

/** The slots of a lane that an executor has. */
export interface Slots {
  readonly lane: SlotLane
  readonly slots: number
}

/** Slots of a lane that are free again, by the word of the executor. */
export interface Credit {
  readonly lane: number
  readonly slots: number
}

/** Slots are counted in arrays, by the number of the lane. */
const PLACES = Math.max(...SLOT_LANES) + 1

/** How many slots of each lane an executor has, and how many of them are free for assignments. */
export class Credits {
  /** 0 where it has no such lane. */
  readonly #slots = new Int32Array(PLACES)
  readonly #free = new Int32Array(PLACES)

  constructor(lanes: readonly Slots[]) {
    for (const { lane, slots } of lanes) this.#slots[lane] = slots
  }

  slots(lane: number): number {
    return this.#slots[lane] ?? 0
  }

  free(lane: number): number {
    return this.#free[lane] ?? 0
  }

  /** Why it cannot have slots free that it gives credits for (guarantee 6); undefined where it can. One that takes nothing gives none that count. */
  fault({ lane, slots }: Credit, taking: boolean): Violation | undefined {
    const has = this.slots(lane)
    const free = this.free(lane)
    if (has === 0) return { field: 'lane', description: `is ${lane}, which was not announced` }
    if (slots >= 0 && (!taking || free + slots <= has)) return undefined
    const description = `is ${slots} beside ${free} free ones, of ${has} in all`
    return { field: 'slots', description }
  }

  add(lane: number, slots: number): void {
    this.#free[lane] = this.free(lane) + slots
  }

  clear(): void {
    this.#free.fill(0)
  }
}
