/**
 * What starts name in temp storage, looked at before a job is created: a job whose result has no place to go would run
 * in vain. Only what storage knows to be wrong refuses a start; a storage that cannot be asked refuses none, since the
 * job may well find it back. Each place is asked for once, however many starts name it.
 */
import { OffstageError } from '../grpc/mod.ts'
import type { Calls } from './calls.ts'
import type { StartOptions } from './options.ts'

/** One short try: a start is not to hang on a storage that is away. */
const TERMS = { attempts: 1, deadlineMs: 5_000 }

/** The answers that say that a place is wrong. */
const WRONG: ReadonlySet<string> = new Set([
  'VALUE_NOT_FOUND',
  'SCOPE_NOT_FOUND',
  'SCOPE_CLOSED',
  'INVALID_FIELD',
  'PERMISSION_DENIED',
])

type Places = Pick<StartOptions, 'scope' | 'resultAddress' | 'additionalResult'>

interface Place {
  /** The option that names it. */
  readonly field: string
  readonly kind: 'scope' | 'address'
  readonly id: string
}

/** Why a start is refused, undefined for nothing. */
export type Verdict = OffstageError | undefined

export class PlaceChecks {
  readonly #calls: Calls
  /** By field and id; a promise while storage is asked. */
  readonly #verdicts = new Map<string, Verdict | Promise<Verdict>>()

  constructor(calls: Calls) {
    this.#calls = calls
  }

  /** The refusal of a start with these options, if any. A promise only where storage has to be asked. */
  check(options: Places, signal?: AbortSignal): Verdict | Promise<Verdict> {
    const places = placesOf(this.#calls, options)
    if (places.length === 0) return undefined
    const verdicts = places.map((place) => this.#verdictOn(place, signal))
    return areKnown(verdicts) ? first(verdicts) : Promise.all(verdicts).then(first)
  }

  #verdictOn(place: Place, signal: AbortSignal | undefined): Verdict | Promise<Verdict> {
    const key = `${place.field} ${place.id}`
    if (this.#verdicts.has(key)) return this.#verdicts.get(key)
    const asked = this.#ask(place, signal).then((verdict) => {
      this.#verdicts.set(key, verdict)
      return verdict
    })
    this.#verdicts.set(key, asked)
    return asked
  }

  async #ask(place: Place, signal: AbortSignal | undefined): Promise<Verdict> {
    const { kind, id } = place
    const { values } = this.#calls.connection
    const terms = { ...TERMS, signal }
    try {
      if (kind === 'scope') {
        // A start in a scope is a sign of life of who opened it.
        await this.#calls.callStorage(values.keepScopeAlive.bind(values), { scope: id }, terms)
      } else {
        await this.#calls.callStorage(values.describeValue.bind(values), { address: id }, terms)
      }
      return undefined
    } catch (error) {
      if (!(error instanceof OffstageError)) throw error
      return WRONG.has(error.reason) ? named(place, error) : undefined
    }
  }
}

function areKnown(verdicts: readonly unknown[]): verdicts is Verdict[] {
  return verdicts.every((verdict) => !(verdict instanceof Promise))
}

function first(verdicts: readonly Verdict[]): Verdict {
  return verdicts.find((verdict) => verdict !== undefined)
}

function placesOf({ identity }: Calls, options: Places): Place[] {
  const { resultAddress = '', additionalResult = false } = options
  // The scope of a job was looked at when that was started.
  const scope = options.scope ?? (identity.parentJobId === '' ? identity.scope : '')
  const places: Place[] = []
  if (scope !== '') places.push({ field: 'scope', kind: 'scope', id: scope })
  if (resultAddress !== '') {
    places.push({ field: 'resultAddress', kind: 'address', id: resultAddress })
  }
  if (typeof additionalResult === 'string' && additionalResult !== '') {
    places.push({ field: 'additionalResult', kind: 'address', id: additionalResult })
  }
  return places
}

function named({ field }: Place, cause: OffstageError): OffstageError {
  const { code, reason, message, metadata, helpUrl } = cause
  const violations = [{ field, description: message }]
  return new OffstageError({
    ...{ code, reason, metadata, helpUrl, violations, cause },
    message: `${field}: ${message}`,
  })
}
