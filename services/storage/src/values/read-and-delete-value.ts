/**
 * Reads a value and deletes it once its last byte has left this process (row L4).
 *
 * 1. Of several readers at the same time one has the claim; the others wait for its outcome.
 * 2. Nothing is deleted before the last chunk has been written to the socket, which is when the server
 *    asks for more after it: a reader that breaks off gives the claim back, one whose process dies loses
 *    it after the lease, and the value is there again.
 * 3. A reader that loses its claim breaks off before its next chunk.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { Address } from '../domain/identifier.ts'
import type { Claim } from '../domain/put.ts'
import type { ReadPart, StoredValue } from '../domain/temp-value.ts'
import { keepLease, LEASE_MS, LEASE_WAIT_MS } from '../keep-lease.ts'
import { newClaim } from '../new-ids.ts'
import type { StorageParts } from '../ports/parts.ts'
import {
  bytesDamaged,
  nothingPutYet,
  valueBusy,
  valueChanged,
  valueNotFound,
  valueUnsteady,
} from '../refusals.ts'
import { type Caller, noteAct } from './note-act.ts'
import { describeValue, LOOKS_MAX } from './read-value.ts'
import { openBody, type ValueBody } from './value-body.ts'

const LOOK_EVERY_MS = 100

/** What is to be read and deleted. */
export interface TakeQuery {
  readonly address: Address
  /** Only if it is this one. */
  readonly ifSha256: Buffer | undefined
}

export async function* readAndDeleteValue(
  storage: StorageParts,
  caller: Caller,
  { address, ifSha256 }: TakeQuery,
  signal: AbortSignal,
): AsyncGenerator<ReadPart> {
  const described = await describeValue(storage, caller, address)
  if (described.kind === 'reserved') throw nothingPutYet(address)
  await noteAct(storage, caller, { ...described, target: address })
  const claim = newClaim()
  using lease = keepLease(() => storage.values.renewClaim(address, claim, LEASE_MS))
  let consumed = false
  try {
    await using taken = await takeOpen(storage, address, claim, signal)
    const { value, body } = taken
    if (ifSha256 !== undefined && !ifSha256.equals(value.sha256)) throw valueChanged(address)
    yield { kind: 'value', value }
    for await (const bytes of body.chunks(0)) {
      if (lease.lost) throw valueBusy(address)
      yield { kind: 'chunk', bytes }
    }
    // Whether it was replaced meanwhile makes no difference to this reader: it had the value whole.
    if (await storage.values.consume(address, claim)) storage.hints.value('deleted', value)
    consumed = true
    if (value.blobId !== undefined) storage.garbageMade()
  } finally {
    if (!consumed) await storage.values.releaseClaim(address, claim)
  }
}

/** A claim does not hold off a put, so the blob can be gone by the opening: then what has replaced the value is taken. */
async function takeOpen(
  storage: StorageParts,
  address: Address,
  claim: string,
  signal: AbortSignal,
): Promise<{ value: StoredValue; body: ValueBody } & AsyncDisposable> {
  let missing: string | undefined
  for (let look = 0; look < LOOKS_MAX; look++) {
    const taken = await take(storage, address, claim, signal)
    const { value } = taken
    const body = await openBody(storage.blobs, value, taken)
    if (body !== undefined) {
      return { value, body, [Symbol.asyncDispose]: () => body[Symbol.asyncDispose]() }
    }
    await storage.values.releaseClaim(address, claim)
    if (missing === value.version) throw bytesDamaged(address, 'are missing')
    missing = value.version
  }
  throw valueUnsteady(address)
}

/** Invariant 1. */
async function take(
  storage: StorageParts,
  address: Address,
  claim: string,
  signal: AbortSignal,
): Promise<Claim & { kind: 'claimed' }> {
  for (let waitedMs = 0; waitedMs < LEASE_WAIT_MS; waitedMs += LOOK_EVERY_MS) {
    const taken = await storage.values.claim(address, claim, LEASE_MS)
    if (taken.kind === 'claimed') return taken
    if (taken.kind === 'absent') throw valueNotFound(address)
    await pause(LOOK_EVERY_MS, undefined, { signal })
  }
  throw valueBusy(address)
}
