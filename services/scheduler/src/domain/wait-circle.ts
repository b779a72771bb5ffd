/** Who waits for whom: what holders of locks wait for, so that a wait that would never end is found when it begins. */

/** Of a transaction of an application's own the id is that of its process. */
export interface Party {
  readonly kind: 'job' | 'lease' | 'transaction'
  readonly id: string
  readonly owner: string
}

/**
 * `party` waits for `on`: for a lock it holds or is to have first, its key, its end as a child, its place in a limit, or for what the
 * transaction has locked in PostgreSQL.
 */
export interface WaitLink {
  readonly party: Party
  readonly for: 'lock' | 'key' | 'child' | 'limit' | 'transaction'
  /** Of the lock, the key or the method. */
  readonly name: string
  readonly on: Party
}

export const isSameParty = (one: Party, other: Party) =>
  one.kind === other.kind && one.id === other.id

/**
 * All that wait for one party, directly or not, found from it outwards. Whoever waits for somebody among them closes a circle.
 *
 * Most parties have nobody who waits for them: looking in this direction ends at once for them, however many stand in the same line.
 */
export class Dependents {
  readonly #self: Party
  /** How each of them comes to wait for the party. */
  readonly #links = new Map<string, WaitLink>()

  constructor(self: Party) {
    this.#self = self
  }

  get size(): number {
    return this.#links.size
  }

  has(party: Party): boolean {
    return isSameParty(party, this.#self) || this.#links.has(keyOf(party))
  }

  /** Those of the links that lead to somebody new. */
  add(links: readonly WaitLink[]): Party[] {
    const fresh: Party[] = []
    for (const link of links) {
      if (this.has(link.party)) continue
      this.#links.set(keyOf(link.party), link)
      fresh.push(link.party)
    }
    return fresh
  }

  /** All of them, and the party itself. */
  all(): Party[] {
    return [this.#self, ...Array.from(this.#links.values(), ({ party }) => party)]
  }

  /** The circle that the party closes when it waits for one of them by `link`, beginning with it. */
  circle(link: WaitLink): WaitLink[] {
    const links = [link]
    for (let at = link.on; !isSameParty(at, this.#self); ) {
      const next = this.#links.get(keyOf(at))
      if (next === undefined) break
      links.push(next)
      at = next.on
    }
    return links
  }
}

function keyOf({ kind, id }: Party): string {
  return `${kind} ${id}`
}
