/**
 * Where the runs of one name leave what they leave. What one run has left may be kept for the next, in a pool or a cache: a leak is what
 * another leaves in the same place while that is still open.
 */
import type { Leak, LeakFigure, LeakFigures } from './leak.ts'
import { type Place, placeOf } from './place.ts'
import type { Candidate } from './run-leaks.ts'

/** Places of one name that are remembered; what is left in others is passed over. */
const SITES_MAX = 200
const TOLD_MAX = 20
/** Of one place, that are looked at again. */
const OPEN_MAX = 100

type Kept = Pick<Candidate, 'isOpen'>

interface Site {
  readonly kind: Candidate['kind']
  readonly openedAt: string
  runs: number
  left: number
  open: Kept[]
  hasLeaked: boolean
}

export class Sites {
  readonly #name: string
  readonly #own: readonly string[]
  readonly #sites = new Map<string, Site>()
  #runs = 0
  #heap: { told: boolean; readonly bytesPerRun: number } | undefined

  /** @param own paths of code that belongs to Offstage */
  constructor(name: string, own: readonly string[]) {
    this.#name = name
    this.#own = own
  }

  /** @param fromFirst nothing is kept from run to run */
  left(candidates: readonly Candidate[], fromFirst: boolean): Leak[] {
    this.#runs += 1
    const leaks = [...this.#bySite(candidates)].flatMap(([site, group]) =>
      this.#add(site, group, fromFirst),
    )
    if (this.#heap?.told !== false) return leaks
    this.#heap.told = true
    const { bytesPerRun } = this.#heap
    return [...leaks, { kind: 'heap', count: 1, openedAt: '', bytesPerRun }]
  }

  /** The heap has grown with each of the newest runs; undefined: it has not. */
  heapGrows(bytesPerRun: number | undefined): void {
    this.#heap = bytesPerRun === undefined ? undefined : { told: false, bytesPerRun }
  }

  figures(): LeakFigures {
    const leaks: LeakFigure[] = [...this.#sites.values()]
      .filter(({ hasLeaked }) => hasLeaked)
      .map(({ kind, openedAt, runs, left, open }) => {
        return { kind, openedAt, runs, left, open: open.filter((each) => each.isOpen()).length }
      })
      .sort((a, b) => b.left - a.left)
    if (this.#heap !== undefined) {
      const { bytesPerRun } = this.#heap
      leaks.unshift({ kind: 'heap', openedAt: '', runs: 0, left: 0, open: 0, bytesPerRun })
    }
    return { name: this.#name, runs: this.#runs, leaks: leaks.slice(0, TOLD_MAX) }
  }

  #bySite(candidates: readonly Candidate[]): Map<Site, Candidate[]> {
    const groups = new Map<Site, Candidate[]>()
    for (const candidate of candidates) {
      const place = placeOf(candidate.made, this.#own)
      if (place === undefined || isLookedAfter(candidate, place)) continue
      const site = this.#site(candidate.kind, place)
      if (site === undefined) continue
      const group = groups.get(site) ?? []
      group.push(candidate)
      groups.set(site, group)
    }
    return groups
  }

  #site(kind: Candidate['kind'], { key: of, frames: openedAt }: Place): Site | undefined {
    const key = `${kind}\n${of}`
    const known = this.#sites.get(key)
    if (known !== undefined || this.#sites.size >= SITES_MAX) return known
    const site = { kind, openedAt, runs: 0, left: 0, open: [], hasLeaked: false }
    this.#sites.set(key, site)
    return site
  }

  #add(site: Site, group: readonly Candidate[], fromFirst: boolean): Leak[] {
    const { kind, openedAt } = site
    const kept = site.open.filter((each) => each.isOpen())
    const isLeak = fromFirst || kept.length > 0
    site.runs += 1
    site.left += group.length
    // Not where it was made: that holds more than what is open.
    site.open = [...kept, ...group.map((each) => ({ isOpen: () => each.isOpen() }))].slice(
      -OPEN_MAX,
    )
    site.hasLeaked ||= isLeak
    return isLeak ? [{ kind, count: group.length, openedAt }] : []
  }
}

/** By what Node has made it for: its time limit of a socket, its listener on one, the pipes of a child process, what a client of HTTP asks over. */
function isLookedAfter({ kind }: Candidate, { isNodes, isKeptByNode }: Place): boolean {
  if (kind === 'socket') return isKeptByNode
  return isNodes && (kind === 'timer' || kind === 'listener')
}
