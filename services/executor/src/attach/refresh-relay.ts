/** Refreshes of reusable values between the threads of this executor and the other processes of the namespace (row C6). */
import { OffstageError } from '@offstage/sdk/grpc'
import type { RefreshPort } from '@offstage/sdk/values'
import type { RefreshScope } from '../domain/refresh-scope.ts'
import type { RefreshesElsewhere } from '../ports.ts'

export interface RefreshRelayOptions {
  /** That of the executor's own client. */
  readonly port: Required<RefreshPort> & { readonly epoch: number | undefined }
  /** Told of every scope that is refreshed. */
  onRefreshed(scope: RefreshScope): void
}

export class RefreshRelay implements RefreshesElsewhere {
  readonly #options: RefreshRelayOptions
  #subscription: Disposable | undefined

  constructor(options: RefreshRelayOptions) {
    this.#options = options
  }

  start(): void {
    const { port, onRefreshed } = this.#options
    this.#subscription ??= port.subscribe(({ scope }) => onRefreshed(scope))
  }

  stop(): void {
    this.#subscription?.[Symbol.dispose]()
  }

  passOn(scope: RefreshScope): Promise<string | undefined> {
    return faultOf(this.#options.port.publish({ origin: 'executor', scope }))
  }

  get epoch(): number | undefined {
    return this.#options.port.epoch
  }

  reach(epoch: number): Promise<string | undefined> {
    return faultOf(this.#options.port.reach(epoch))
  }
}

async function faultOf(work: Promise<void>): Promise<string | undefined> {
  try {
    await work
    return undefined
  } catch (error) {
    if (error instanceof OffstageError || error instanceof TypeError) return error.message
    throw error
  }
}
