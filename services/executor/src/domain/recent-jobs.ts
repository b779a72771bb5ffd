/** Remembers jobs, the newest so many, and how often each was added. */
export class RecentJobs {
  readonly #times = new Map<string, number>()
  readonly #max: number

  constructor(max: number) {
    this.#max = max
  }

  add(jobId: string): void {
    const times = this.times(jobId) + 1
    this.#times.delete(jobId)
    this.#times.set(jobId, times)
    if (this.#times.size <= this.#max) return
    for (const oldest of this.#times.keys()) {
      this.#times.delete(oldest)
      return
    }
  }

  has(jobId: string): boolean {
    return this.#times.has(jobId)
  }

  times(jobId: string): number {
    return this.#times.get(jobId) ?? 0
  }

  delete(jobId: string): void {
    this.#times.delete(jobId)
  }
}
