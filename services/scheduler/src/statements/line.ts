/** What waits of one caller, first come, first served. */
export class Line<Group> {
  #groups: Group[] = []
  #from = 0
  /** In all groups together. */
  items = 0

  get isEmpty(): boolean {
    return this.#from === this.#groups.length
  }

  /** Of a line that is not empty. */
  get first(): Group {
    return this.#groups[this.#from] as Group
  }

  push(group: Group, items: number): void {
    this.#groups.push(group)
    this.items += items
  }

  shift(items: number): void {
    this.#from += 1
    this.items -= items
    // Moving what is left down for each would cost as much as the line is long.
    if (this.#from * 2 < this.#groups.length) return
    this.#groups = this.#groups.slice(this.#from)
    this.#from = 0
  }
}
