/** Temp storage in memory that does what a scenario tells it to, over real gRPC. */
import { createHash, randomUUID } from 'node:crypto'
import {
  clientStream,
  createGrpcServer,
  Refusal,
  type ServerTls,
  serverStream,
  unary,
} from '@offstage/kit/grpc'
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
  readonly header: Partial<PutValueHeader>
  readonly bytes: Buffer
  /** Whose call it was. */
  readonly caller: Caller
}

/** As the metadata of a call says it. */
export interface Caller {
  readonly user: string
  readonly bearer: string
}

export interface ScriptedStorage extends AsyncDisposable {
  readonly address: string
  readonly values: ReadonlyMap<string, Stored>
  /** Who read and looked, of each address and scope. */
  readonly callers: ReadonlyMap<string, Caller>
  /** The addresses and scopes that are not there. */
  readonly gone: Map<string, 'VALUE_NOT_FOUND' | 'SCOPE_NOT_FOUND'>
  /** Reads wait for it while set. */
  held: Promise<void> | undefined
  /** Puts a value by the way. */
  keep(value: unknown): string
}

const CHUNK_BYTES = 256 * 1024

/** @param tls default: plain text */
export async function startScriptedStorage(tls?: ServerTls): Promise<ScriptedStorage> {
  const values = new Map<string, Stored>()
  const callers = new Map<string, Caller>()
  const look = (place: string, context: Parameters<typeof callerOf>[0]) => {
    callers.set(place, callerOf(context))
    const reason = storage.gone.get(place)
    if (reason !== undefined) throw new Refusal({ reason, message: `${place} is gone` })
  }
  const describe = (address: string): Value => {
    const found = values.get(address)
    if (found === undefined) return Value.fromPartial({ address, reserved: true })
    const { bytes, header, caller } = found
    const sha256 = createHash('sha256').update(bytes).digest()
    const size = BigInt(bytes.length)
    const contentType = header.contentType ?? ''
    return Value.fromPartial({ address, owner: caller.user, size, contentType, sha256 })
  }
  const putValue = clientStream<PutValueRequest, PutValueResponse>(
    'values.write',
    async (requests, context) => {
      let header: PutValueHeader | undefined
      const chunks: Buffer[] = []
      for await (const { part } of requests) {
        if (part?.$case === 'header') header = part.value
        else if (part?.$case === 'chunk') chunks.push(part.value)
      }
      if (header === undefined) throw new Error('no header')
      const address = header.address || newAddress()
      values.set(address, { header, bytes: Buffer.concat(chunks), caller: callerOf(context) })
      return { value: describe(address) }
    },
  )
  const getValue = serverStream<GetValueRequest, GetValueResponse>(
    'values.read',
    async function* ({ address, offset }, context) {
      look(address, context)
      await storage.held
      yield { part: { $case: 'value', value: describe(address) } }
      const bytes = values.get(address)?.bytes ?? Buffer.alloc(0)
      for (let at = Number(offset); at < bytes.length; at += CHUNK_BYTES) {
        yield { part: { $case: 'chunk', value: bytes.subarray(at, at + CHUNK_BYTES) } }
      }
    },
  )
  const describeValue = unary<DescribeValueRequest, DescribeValueResponse>(
    'values.read',
    ({ address }, context) => {
      look(address, context)
      return { value: describe(address) }
    },
  )
  const keepScopeAlive = unary<KeepScopeAliveRequest, KeepScopeAliveResponse>(
    'values.write',
    ({ scope }, context) => {
      look(scope, context)
      return { expireTime: undefined }
    },
  )
  const { putValue: put, getValue: get } = StorageServiceService
  const { describeValue: describing, keepScopeAlive: keeping } = StorageServiceService
  const definition = {
    putValue: put,
    getValue: get,
    describeValue: describing,
    keepScopeAlive: keeping,
  }
  const server = createGrpcServer({
    name: 'scripted storage',
    host: '127.0.0.1',
    port: 0,
    services: [
      { definition, implementation: { putValue, getValue, describeValue, keepScopeAlive } },
    ],
    tls,
    log: createLogger({ name: 'scripted storage', level: 'silent' }),
    stopGraceMs: 200,
  })
  await server.start()
  const storage: ScriptedStorage = {
    address: server.address,
    values,
    callers,
    gone: new Map(),
    held: undefined,
    keep(value) {
      const address = newAddress()
      const header = { contentType: 'application/json' }
      const caller = { user: '', bearer: '' }
      values.set(address, { header, bytes: Buffer.from(JSON.stringify(value)), caller })
      return address
    },
    [Symbol.asyncDispose]: () => server.stop(),
  }
  return storage
}

export function newAddress(): string {
  return `val_${randomUUID().replaceAll('-', '')}`
}

function callerOf({ metadata }: { readonly metadata: { get(name: string): unknown[] } }): Caller {
  const one = (name: string) => String(metadata.get(name)[0] ?? '')
  return { user: one('offstage-user'), bearer: one('authorization') }
}
