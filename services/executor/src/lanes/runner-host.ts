import type { LostReason } from '../domain/attempt.ts'
import type { ClaimBoard } from './claims.ts'
import type { ThreadOrders } from './thread-messages.ts'

/** Where handlers run, be it a thread or a process: it takes orders, and says what it says. */
export interface RunnerHost {
  readonly claims: Pick<
    ClaimBoard,
    'give' | 'withdraw' | 'hasBegun' | 'isCalling' | 'release' | 'taken'
  >
  post(orders: ThreadOrders): void
  /** What it holds; undefined where it does not say, as while it starts or ends. */
  memory(): Promise<HeldMemory | undefined>
  /** Ends it, whatever it is doing; `onExit` follows. */
  kill(): void
}

export interface HeldMemory {
  readonly usedBytes: number
  readonly limitBytes: number
  readonly holder: 'thread' | 'process'
  /** The variable that sets the limit. */
  readonly limitedBy: string
}

export interface HostListener {
  onMessage(heard: unknown): void
  /** Once, after all it has said was heard. */
  onExit(exit: HostExit): void
}

/** How it ended, where nobody has ended it. */
export interface HostExit {
  /** For people. */
  readonly detail: string
  readonly reason: LostReason
  /** By what its code threw, told in the detail. */
  readonly thrown: boolean
  /** It was ended, and is not gone: nothing of it is waited for any more, or heard. */
  readonly isStuck?: boolean
}
