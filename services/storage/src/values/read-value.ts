import type { Actor } from '@offstage/kit/auth'
import type { Address } from '../domain/identifier.ts'
import type { ReadPart, StoredValue, TempValue } from '../domain/temp-value.ts'
import type { StorageParts } from '../ports/parts.ts'
import {
  bytesDamaged,
  nothingPutYet,
  offsetInvalid,
  valueChanged,
  valueNotFound,
  valueUnsteady,
} from '../refusals.ts'
import { type Caller, noteAct } from './note-act.ts'
import { reachOf } from './reach-of.ts'
import { openBody, type ValueBody } from './value-body.ts'

export interface ReadQuery {
  readonly address: Address
  readonly offset: number
  /** Undefined: whatever is there. */
  readonly ifSha256: Buffer | undefined
}

/** Reads a value from an offset (row S1): its description, then its bytes as they are taken. */
export async function* readValue(
  storage: StorageParts,
  caller: Caller,
  query: ReadQuery,
): AsyncGenerator<ReadPart> {
  const { value, body } = await openValue(storage, caller, query)
  await noteAct(storage, caller, { ...value, target: value.address })
  try {
    yield { kind: 'value', value }
    for await (const bytes of body.chunks(query.offset)) yield { kind: 'chunk', bytes }
  } finally {
    await body[Symbol.asyncDispose]()
  }
}

/** Describes a value or a reserved address. */
export async function describeValue(
  storage: StorageParts,
  actor: Actor,
  address: Address,
): Promise<TempValue> {
  const value = await storage.values.find(address, reachOf(actor, 'values.read'))
  if (value === undefined) throw valueNotFound(address)
  return value
}

/** A blob can go between the look at its row and its opening, when the value is replaced: look again. One that stays the value's and is not there is lost. */
export const LOOKS_MAX = 20

async function openValue(
  storage: StorageParts,
  actor: Actor,
  query: ReadQuery,
): Promise<{ value: StoredValue; body: ValueBody }> {
  const { address } = query
  const reach = reachOf(actor, 'values.read')
  let missing: string | undefined
  for (let look = 0; look < LOOKS_MAX; look++) {
    const found = await storage.values.read(address, reach)
    if (found === undefined) throw valueNotFound(address)
    const { value } = found
    if (value.kind === 'reserved') throw nothingPutYet(address)
    refuseUnfit(value, query)
    const body = await openBody(storage.blobs, value, found)
    if (body !== undefined) return { value, body }
    if (missing === value.version) throw bytesDamaged(address, 'are missing')
    missing = value.version
  }
  throw valueUnsteady(address)
}

function refuseUnfit(value: StoredValue, { address, offset, ifSha256 }: ReadQuery): void {
  if (ifSha256 !== undefined && !ifSha256.equals(value.sha256)) throw valueChanged(address)
  if (offset > value.size) {
    throw offsetInvalid(`the value at ${address} has ${value.size} bytes only`, value.size)
  }
}
