/**
 * Where the attempts of this thread get the tokens by which their clients act: from the main thread, which alone holds what the
 * executor attaches with.
 *
 * 1. Every question is answered: with a token, with why there is none, or with the end of its attempt.
 * 2. After its end an attempt gets none, so that a client kept past it is refused.
 */
import { attemptEnded } from '@offstage/sdk/client'
import { OffstageError } from '@offstage/sdk/grpc'
import type { TokenAnswer, TokenAsk } from '../lanes/thread-messages.ts'
import { OwnMap } from './own-copies.ts'
import type { Reporter } from './reporter.ts'

/** Sent where the scheduler runs in development mode, in which nobody reads it. */
const DEVELOPMENT_TOKEN = 'development'

export class TokenDesk {
  readonly #reporter: Pick<Reporter, 'askToken'>
  /** By what is asked for. */
  readonly #asking = new OwnMap<string, PromiseWithResolvers<string>>()

  constructor(reporter: Pick<Reporter, 'askToken'>) {
    this.#reporter = reporter
  }

  /** What a client of an attempt gets its tokens by. */
  open(ask: TokenAsk): AttemptTokens {
    let isOver = false
    return {
      next: () => (isOver ? Promise.reject(attemptEnded()) : this.#ask(ask)),
      close: () => {
        isOver = true
        this.#take(ask)?.reject(attemptEnded())
      },
    }
  }

  answer({ answer, ...ask }: TokenAnswer): void {
    const asking = this.#take(ask)
    if (answer.kind === 'token') asking?.resolve(answer.token || DEVELOPMENT_TOKEN)
    else asking?.reject(new OffstageError(answer.refusal))
  }

  #ask(ask: TokenAsk): Promise<string> {
    let asking = this.#asking.get(nameOf(ask))
    if (asking === undefined) {
      asking = Promise.withResolvers()
      this.#asking.set(nameOf(ask), asking)
      this.#reporter.askToken(ask)
    }
    return asking.promise
  }

  #take(ask: TokenAsk): PromiseWithResolvers<string> | undefined {
    const asking = this.#asking.get(nameOf(ask))
    this.#asking.delete(nameOf(ask))
    return asking
  }
}

function nameOf({ key, privileged }: TokenAsk): string {
  return `${privileged} ${key}`
}

export interface AttemptTokens {
  next(): Promise<string>
  /** The attempt has ended. */
  close(): void
}
