import type { Claim } from '../lanes/claims.ts'
import type { ProcessWord } from '../lanes/process-host.ts'
import { OwnMap } from './own-copies.ts'

/** The claims of a process, which shares no memory with the executor: it asks whether the handler of an attempt is to be called. */
export class AskedClaims {
  readonly #post: (word: ProcessWord) => void
  readonly #asking = new OwnMap<Claim, PromiseWithResolvers<boolean>>()

  constructor(post: (word: ProcessWord) => void) {
    this.#post = post
  }

  take(): void {
    this.#post({ kind: 'taken' })
  }

  begin(claim: Claim): Promise<boolean> {
    const asking = Promise.withResolvers<boolean>()
    this.#asking.set(claim, asking)
    this.#post({ kind: 'begin', claim })
    return asking.promise
  }

  answer({ claim, isBegun }: { readonly claim: Claim; readonly isBegun: boolean }): void {
    this.#asking.get(claim)?.resolve(isBegun)
    this.#asking.delete(claim)
  }

  /** One attempt runs at a time: nobody need be told whose turn it is. */
  calling<T>(_claim: Claim, call: () => T): T {
    return call()
  }
}
