/** Remembers jobs, the newest so many. */
export class RecentJobs {
  readonly #ids = new Set<string>()
  readonly #max: number

  constructor(max: number) {
    this.#max = max
  }

  add(jobId: string): void {
    this.#ids.delete(jobId)
    this.#ids.add(jobId)
    if (this.#ids.size <= this.#max) return
    for (const oldest of this.#ids) {
      this.#ids.delete(oldest)
      return
    }
  }

  has(jobId: string): boolean {
    return this.#ids.has(jobId)
  }

  delete(jobId: string): void {
    this.#ids.delete(jobId)
  }
}
