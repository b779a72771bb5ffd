/**
 * The public keys of one issuer: had when first needed, kept, and looked for again when they are old or when a token names a key
 * that is not among them.
 *
 * 1. One question at a time, whoever wants the answer; each ends in time (see load-keys).
 * 2. Keys that are getting old are used while newer ones are looked for, so no call waits for a rotation. Those that are old
 *    are used only where an issuer that was asked did not answer, and no longer than the grace; after it, and where there never
 *    were any, the answer is IDENTITY_UNAVAILABLE. So a key that was withdrawn is not used after `maxAgeMs`, however long nobody
 *    had asked for any.
 * 3. A token with an unknown key has them looked for at once. Where that did not help, such tokens cause no further question
 *    within the cooldown: a flood of them is no flood for the issuer. Meanwhile such a token is not said to be invalid, but asked
 *    to come back: its key may be newer than the flood.
 */
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose'
import { tokenRefusal } from './token-refusals.ts'

export interface KeySetOptions {
  /** Gets the keys as they are now. */
  load(): Promise<JSONWebKeySet>
  /** Told of a question that failed, and of the first that did not after it. */
  onTrouble(error: unknown): void
  onRecovered?(): void
  /** Keys are looked for again when they are older. Default 3 minutes. */
  readonly freshMs?: number
  /** Keys that are older are waited for. Default 4 minutes. */
  readonly maxAgeMs?: number
  /** Keys are used no longer than this after they were had. Default a day. */
  readonly graceMs?: number
  /** Default 5 s. */
  readonly cooldownMs?: number
  /** Default: a clock that is never put back. */
  readonly now?: () => number
}

interface Keys {
  readonly find: JWTVerifyGetKey
  readonly hadAtMs: number
}

export class KeySet {
  readonly #options: Required<Omit<KeySetOptions, 'onRecovered'>> & KeySetOptions
  #keys: Keys | undefined
  #question: Promise<void> | undefined
  /** When a question was last asked for an unknown key in vain. */
  #vainAtMs = Number.NEGATIVE_INFINITY
  #failedAtMs: number | undefined

  constructor(options: KeySetOptions) {
    this.#options = { now: () => performance.now(), ...DEFAULTS, ...options }
  }

  /** The key that a token names; throws a refusal, or jose's error where there is no such key or more than one. */
  readonly find: JWTVerifyGetKey = async (header, token) => {
    await this.#current()
    try {
      return await this.#among(header, token)
    } catch (error) {
      if (!isUnknown(error)) throw error
    }
    const coolMs = this.#vainAtMs + this.#options.cooldownMs - this.#options.now()
    if (coolMs > 0) throw tokenRefusal('IDENTITY_UNAVAILABLE', undefined, Math.ceil(coolMs))
    // A question under way may have been answered before the key was there, so it is not enough.
    const underWay = this.#question
    if (underWay !== undefined) {
      await underWay
      try {
        return await this.#among(header, token)
      } catch (error) {
        if (!isUnknown(error)) throw error
      }
    }
    await this.#askUnlessFailed()
    if (this.#failedAtMs !== undefined) throw tokenRefusal('IDENTITY_UNAVAILABLE')
    try {
      return await this.#among(header, token)
    } catch (error) {
      if (isUnknown(error)) this.#vainAtMs = this.#options.now()
      throw error
    }
  }

  readonly #among: JWTVerifyGetKey = (header, token) => {
    if (this.#keys === undefined) throw tokenRefusal('IDENTITY_UNAVAILABLE')
    return this.#keys.find(header, token)
  }

  /** Has keys that may be used, or throws the refusal. */
  async #current(): Promise<void> {
    const { freshMs, maxAgeMs, graceMs, now } = this.#options
    const keys = this.#keys
    const ageMs = keys === undefined ? Number.POSITIVE_INFINITY : now() - keys.hadAtMs
    if (ageMs < freshMs) return
    const isAway = this.#failedAtMs !== undefined
    const question = this.#askUnlessFailed()
    // Of an issuer that is away there is no answer to wait for.
    if (ageMs < (isAway ? graceMs : maxAgeMs)) return
    await question
    if (this.#keys === undefined || now() - this.#keys.hadAtMs >= graceMs) {
      throw tokenRefusal('IDENTITY_UNAVAILABLE')
    }
  }

  /** After a failure the issuer is left alone for a moment. */
  #askUnlessFailed(): Promise<void> | undefined {
    const sinceFailureMs = this.#options.now() - (this.#failedAtMs ?? Number.NEGATIVE_INFINITY)
    return sinceFailureMs < FAILURE_PAUSE_MS ? this.#question : this.#ask()
  }

  #ask(): Promise<void> {
    this.#question ??= this.#load().finally(() => {
      this.#question = undefined
    })
    return this.#question
  }

  async #load(): Promise<void> {
    const { load, now, onTrouble, onRecovered } = this.#options
    try {
      const find = finderIn(await load())
      this.#keys = { find, hadAtMs: now() }
      if (this.#failedAtMs !== undefined) onRecovered?.()
      this.#failedAtMs = undefined
    } catch (error) {
      this.#failedAtMs = now()
      onTrouble(error)
    }
  }
}

const MINUTE_MS = 60_000
const DEFAULTS = {
  freshMs: 3 * MINUTE_MS,
  maxAgeMs: 4 * MINUTE_MS,
  graceMs: 24 * 60 * MINUTE_MS,
  cooldownMs: 5_000,
}
/** The pause after a question that failed. */
const FAILURE_PAUSE_MS = 1_000

function isUnknown(error: unknown): boolean {
  return error instanceof errors.JWKSNoMatchingKey
}

/** By the id that the token names; keys without an id, as those in PEM are, may be meant by any. */
function finderIn({ keys }: JSONWebKeySet): JWTVerifyGetKey {
  const named = createLocalJWKSet({ keys: keys.filter(({ kid }) => kid !== undefined) })
  const nameless = createLocalJWKSet({ keys: keys.filter(({ kid }) => kid === undefined) })
  return async (header, token) => {
    try {
      return await named(header, token)
    } catch (error) {
      if (!isUnknown(error)) throw error
      return await nameless({ ...header, kid: undefined }, token)
    }
  }
}
