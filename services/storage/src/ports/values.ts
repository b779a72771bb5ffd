/** Values as the database has them. */
import type { Address, Namespace } from '../domain/identifier.ts'
import type { Usage } from '../domain/limits.ts'
import type { PageCursor } from '../domain/page-cursor.ts'
import type {
  Claim,
  FinishedPut,
  ListQuery,
  PutCommand,
  PutRequest,
  ReserveCommand,
  StoredBytes,
  WriteFault,
} from '../domain/put.ts'
import type { Reach } from '../domain/reach.ts'
import type { StoredValue, TempValue } from '../domain/temp-value.ts'

/** The metadata of values. What has ended is not there, whether swept or not, and neither is what is beyond somebody's reach. */
export interface ValueStore {
  find(address: Address, reach?: Reach): Promise<TempValue | undefined>
  read(
    address: Address,
    reach?: Reach,
  ): Promise<({ readonly value: TempValue } & StoredBytes) | undefined>
  /** The address that lives for its request id, perhaps with a value by now, or a new one. */
  reserve(command: ReserveCommand): Promise<TempValue | WriteFault>
  /** One transaction: visible whole, or not at all. */
  put(command: PutCommand): Promise<StoredValue | WriteFault>
  /** The put of this request, while it is remembered. */
  finishedPut(request: PutRequest): Promise<FinishedPut | undefined>
  /** False when it was not there. */
  delete(address: Address): Promise<boolean>
  /** Newest first; `next` is the cursor of the next page, undefined on the last. */
  list(query: ListQuery): Promise<{ values: TempValue[]; next: PageCursor | undefined }>
  usage(namespace: Namespace, owner: string): Promise<Usage>
  /** Takes a value for one reader that will delete it; ends by itself after `leaseMs`. */
  claim(address: Address, claim: string, leaseMs: number): Promise<Claim>
  /** False when the claim has been lost. */
  renewClaim(address: Address, claim: string, leaseMs: number): Promise<boolean>
  releaseClaim(address: Address, claim: string): Promise<void>
  /** Deletes the value that was claimed; an address its user reserved stays reserved. False: replaced or deleted meanwhile. */
  consume(address: Address, claim: string): Promise<boolean>
}

export interface GoneValue {
  readonly address: Address
  readonly namespace: Namespace
}
