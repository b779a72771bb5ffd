/** How much of something each caller has at this moment. What is none is forgotten. */
export class Tallies {
  readonly #counts = new Map<string, number>()

  /** That have any. */
  get callers(): number {
    return this.#counts.size
  }

  of(caller: string): number {
    return this.#counts.get(caller) ?? 0
  }

  add(caller: string, count: number): void {
    const next = this.of(caller) + count
    if (next > 0) this.#counts.set(caller, next)
    else this.#counts.delete(caller)
  }
}
