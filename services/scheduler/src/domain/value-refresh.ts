/** Refreshes of reusable values (row C6): scopes, the epochs they were recorded in, and what is told of them. */

/** Which values are to be dropped; everything where nothing is set. */
export interface RefreshScope {
  readonly function: string | undefined
  /** Canonical text; undefined: whichever. */
  readonly params: string | undefined
  readonly tag: string | undefined
}

export interface ValueRefresh {
  readonly epoch: number
  readonly scope: RefreshScope
}

/** What was refreshed after an epoch that somebody knows. */
export interface RefreshNews {
  /** The present one of the namespace; 0 before the first refresh. */
  readonly epoch: number
  /** Everything, or more than is known one by one. */
  readonly all: boolean
  /** Each scope once, oldest first; empty with `all`. */
  readonly refreshes: readonly ValueRefresh[]
}

/** So many scopes are told and kept one by one; beyond that all values are dropped. */
export const SCOPES_KEPT_MAX = 1_000

export function isEverything({ function: name, params, tag }: RefreshScope): boolean {
  return name === undefined && params === undefined && tag === undefined
}

/** Equal for equal scopes alone. */
export function scopeKey({ function: name, params, tag }: RefreshScope): string {
  return JSON.stringify([name ?? null, params ?? null, tag ?? null])
}

/** As if both had been told at once. */
export function mergeNews(earlier: RefreshNews, later: RefreshNews): RefreshNews {
  const epoch = later.epoch
  if (earlier.all || later.all) return { epoch, all: true, refreshes: [] }
  const latest = new Map(
    [...earlier.refreshes, ...later.refreshes].map((each) => [scopeKey(each.scope), each]),
  )
  if (latest.size > SCOPES_KEPT_MAX) return { epoch, all: true, refreshes: [] }
  const refreshes = [...latest.values()].sort((a, b) => a.epoch - b.epoch)
  return { epoch, all: false, refreshes }
}

/** What is wrong with parameters as text, in words that follow the name of the field: nobody could read them. Undefined where nothing is. */
export function paramsTextFault(text: string): string | undefined {
  const list = readJson(text)
  if (Array.isArray(list) && list.every(isParameter)) return undefined
  return 'must be a list of parameters as text, such as ["EUR",["number","7"]]'
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isParameter(parameter: unknown): boolean {
  if (!Array.isArray(parameter) || parameter[0] !== 'structure') return isScalar(parameter)
  const [, properties] = parameter
  return Array.isArray(properties) && properties.every(isProperty)
}

function isProperty(property: unknown): boolean {
  if (!Array.isArray(property)) return false
  const [name, value] = property
  return typeof name === 'string' && isScalar(value)
}

function isScalar(value: unknown): boolean {
  if (!Array.isArray(value)) return value === null || typeof value !== 'object'
  const [kind, first, second] = value
  switch (kind) {
    case 'undefined':
      return true
    case 'number':
      return typeof first === 'string'
    case 'bigint':
      return typeof first === 'string' && /^-?\d+$/.test(first)
    case 'date':
      return isScalar(first)
    default:
      return kind === 'reference' && typeof first === 'string' && isScalar(second)
  }
}
