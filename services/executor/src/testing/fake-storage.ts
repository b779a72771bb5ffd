import { createHash, randomUUID } from 'node:crypto'
import { clientStream, createGrpcServer, Refusal, serverStream, unary } from '@offstage/kit/grpc'
import { createLogger } from '@offstage/kit/telemetry'
import {
  type DescribeValueRequest,
  type DescribeValueResponse,
  type GetValueRequest,
  type GetValueResponse,
  type KeepScopeAliveRequest,
  type KeepScopeAliveResponse,
  type PutValueHeader,
  type PutValueRequest,
  type PutValueResponse,
  StorageServiceService,
  Value,
} from '@offstage/proto/storage'

interface Stored {
  readonly header: PutValueHeader
  readonly bytes: Buffer
  readonly user: string
}

export interface FakeStorage extends AsyncDisposable {
  readonly address: string
  readonly values: Map<string, Stored>
  /** Where reads have begun, one after another. */
  readonly offsets: number[]
  /** Reads that are open. */
  readsOpen: number
  /** Breaks so many reads, each after one chunk. */
  readBreaks: number
  /** The addresses and scopes that were looked at. */
  readonly looks: string[]
  /** Addresses and scopes that are not there, and as what that is told. */
  readonly gone: Map<string, 'VALUE_NOT_FOUND' | 'SCOPE_CLOSED' | 'STORAGE_UNAVAILABLE'>
  /** How many calls to refuse before the next is served. */
  refusals: number
  /** Why they are refused. Default: it is unavailable. */
  refusal: Refusal
}

const CHUNK_BYTES = 256 * 1024

const definition = {
  putValue: StorageServiceService.putValue,
  getValue: StorageServiceService.getValue,
  describeValue: StorageServiceService.describeValue,
  keepScopeAlive: StorageServiceService.keepScopeAlive,
}

/** Temp storage in memory, over real gRPC. */
export async function startFakeStorage(): Promise<FakeStorage> {
  const values = new Map<string, Stored>()
  const refuse = () => {
    if (storage.refusals === 0) return
    storage.refusals -= 1
    throw storage.refusal
  }
  const putValue = clientStream<PutValueRequest, PutValueResponse>(
    'values.write',
    async (requests, { actor }) => {
      refuse()
      let header: PutValueHeader | undefined
      const chunks: Buffer[] = []
      for await (const { part } of requests) {
        if (part?.$case === 'header') header = part.value
        else if (part?.$case === 'chunk') chunks.push(part.value)
      }
      if (header === undefined) throw new Error('no header')
      const address = header.address || randomUUID()
      values.set(address, { header, bytes: Buffer.concat(chunks), user: actor.user })
      return { value: describe(address) }
    },
  )
  const getValue = serverStream<GetValueRequest, GetValueResponse>(
    'values.read',
    async function* ({ address, offset }) {
      refuse()
      storage.offsets.push(Number(offset))
      storage.readsOpen += 1
      try {
        yield { part: { $case: 'value', value: describe(address) } }
        const { bytes } = stored(address)
        for (let at = Number(offset); at < bytes.length; at += CHUNK_BYTES) {
          yield { part: { $case: 'chunk', value: bytes.subarray(at, at + CHUNK_BYTES) } }
          if (storage.readBreaks === 0) continue
          storage.readBreaks -= 1
          throw storage.refusal
        }
      } finally {
        storage.readsOpen -= 1
      }
    },
  )
  const stored = (address: string): Stored => {
    const found = values.get(address)
    if (found !== undefined) return found
    throw new Refusal({ code: 5, reason: 'VALUE_NOT_FOUND', message: `nothing at ${address}` })
  }
  const describe = (address: string): Value => {
    const { header, bytes, user } = stored(address)
    const sha256 = createHash('sha256').update(bytes).digest()
    const { contentType } = header
    const size = BigInt(bytes.length)
    return Value.fromPartial({ address, owner: user, size, contentType, sha256 })
  }
  const look = (place: string) => {
    storage.looks.push(place)
    const reason = storage.gone.get(place)
    if (reason !== undefined) throw new Refusal({ reason, message: `${place} is gone` })
  }
  const describeValue = unary<DescribeValueRequest, DescribeValueResponse>(
    'values.read',
    ({ address }) => {
      look(address)
      return { value: undefined }
    },
  )
  const keepScopeAlive = unary<KeepScopeAliveRequest, KeepScopeAliveResponse>(
    'values.write',
    ({ scope }) => {
      look(scope)
      return { expireTime: undefined }
    },
  )
  const server = createGrpcServer({
    name: 'fake storage',
    host: '127.0.0.1',
    port: 0,
    services: [
      { definition, implementation: { putValue, getValue, describeValue, keepScopeAlive } },
    ],
    log: createLogger({ name: 'fake storage', level: 'silent' }),
    stopGraceMs: 200,
  })
  await server.start()
  const storage: FakeStorage = {
    address: server.address,
    values,
    refusals: 0,
    offsets: [],
    readsOpen: 0,
    readBreaks: 0,
    looks: [],
    gone: new Map(),
    refusal: new Refusal({ code: 14, reason: 'STORAGE_UNAVAILABLE', message: 'not now' }),
    [Symbol.asyncDispose]: () => server.stop(),
  }
  return storage
}
