/**
 * The signing keys as this replica knows them. They are read when they are needed, so that a replica that was held up for hours
 * signs with no key the others have forgotten.
 *
 * 1. Nothing is signed with what was read more than `freshMs` ago.
 * 2. An unknown key has them read anew, after the moment it was asked for: another replica may just have made it. All who ask
 *    meanwhile share that read, and reads begin `gapMs` apart, so that a flood of forged tokens is none for the database.
 */
import assert from 'node:assert/strict'
import type { KeyObject } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { SigningKey } from './signing-key.ts'

export interface KeyRingOptions {
  /** The first one signs. At least one. */
  load(): Promise<readonly SigningKey[]> | readonly SigningKey[]
  /** Default 10 s. */
  readonly freshMs?: number
  /** Default 50 ms. */
  readonly gapMs?: number
  /** Told of a read that failed while the keys from before are still good to verify by. */
  onTrouble(error: unknown): void
}

export class KeyRing {
  readonly #options: Required<KeyRingOptions>
  #keys: readonly SigningKey[] = []
  #readAtMs = Number.NEGATIVE_INFINITY
  #beganAtMs = Number.NEGATIVE_INFINITY
  #underWay: Promise<void> | undefined
  /** A read that has not begun. */
  #coming: Promise<void> | undefined

  constructor(options: KeyRingOptions) {
    this.#options = { freshMs: 10_000, gapMs: 50, ...options }
  }

  /** What signs now. */
  async signer(): Promise<SigningKey & { readonly privateKey: KeyObject }> {
    const [first] = await this.all()
    const privateKey = first?.privateKey
    assert(first !== undefined && privateKey !== undefined, 'the first key signs')
    return { ...first, privateKey }
  }

  async all(): Promise<readonly SigningKey[]> {
    if (!this.#isFresh()) await this.#read()
    return this.#keys
  }

  /** Undefined where there is no such key. */
  async find(id: string): Promise<KeyObject | undefined> {
    const known = this.#named(id)
    if (known === undefined) {
      await this.#read()
      return this.#named(id)
    }
    // What was good a moment ago is good enough to verify by; whether it still is, is found out beside.
    if (!this.#isFresh()) this.#read().catch(this.#options.onTrouble)
    return known
  }

  #named(id: string): KeyObject | undefined {
    return this.#keys.find((key) => key.id === id)?.publicKey
  }

  #isFresh(): boolean {
    return performance.now() - this.#readAtMs < this.#options.freshMs
  }

  /** A read that begins from now on. */
  #read(): Promise<void> {
    this.#coming ??= this.#readNext()
    return this.#coming
  }

  async #readNext(): Promise<void> {
    const waitMs = this.#beganAtMs + this.#options.gapMs - performance.now()
    if (waitMs > 0) await pause(waitMs)
    await this.#underWay?.catch(() => {
      // Told to those who waited for it.
    })
    this.#coming = undefined
    const atMs = performance.now()
    this.#beganAtMs = atMs
    this.#underWay = this.#load(atMs)
    await this.#underWay
  }

  async #load(atMs: number): Promise<void> {
    this.#keys = await this.#options.load()
    this.#readAtMs = atMs
  }
}
