/** For tests: StorageService over real gRPC, as promises. */
import { credentials, Metadata, type ServiceError } from '@grpc/grpc-js'
import { decodeErrorDetails, STATUS_DETAILS_KEY } from '@offstage/proto/error-details'
import {
  type CloseScopeResponse,
  type DeleteValueResponse,
  type GetUploadResponse,
  type GetValueResponse,
  type KeepScopeAliveResponse,
  type ListValuesRequest,
  type ListValuesResponse,
  type OpenScopeRequest,
  type OpenScopeResponse,
  PutValueHeader,
  type PutValueRequest,
  type PutValueResponse,
  type ReadAndDeleteValueResponse,
  type ReserveAddressRequest,
  type StartUploadResponse,
  StorageServiceClient,
  type Value,
} from '@offstage/proto/storage'

export interface ReadOutcome {
  readonly value: Value
  readonly bytes: Buffer
  readonly chunkBytesMax: number
}

/** A client of the service at `address`, calling as `user`. */
export function connectStorage(address: string, user = 'ann') {
  const raw = new StorageServiceClient(address, credentials.createInsecure(), {
    'grpc.max_receive_message_length': 16 * 1024 * 1024,
  })
  const metadata = new Metadata()
  metadata.set('offstage-user', user)

  /** Begins a put; the caller writes the parts. */
  function beginPut() {
    const { promise, resolve, reject } = Promise.withResolvers<PutValueResponse>()
    const stream = raw.putValue(metadata, (error, answer) =>
      error ? reject(error) : resolve(answer),
    )
    stream.on('error', () => {
      // Told by the callback.
    })
    promise.catch(() => {
      // A test may look at it later.
    })
    return { stream, answer: promise }
  }

  return {
    raw,
    metadata,
    beginPut,
    put(bytes: Uint8Array, header: Partial<PutValueHeader> = {}): Promise<Value> {
      return this.putParts([
        { $case: 'header', value: PutValueHeader.fromPartial(header) },
        ...chunksOf(Buffer.from(bytes)).map((value) => ({ $case: 'chunk' as const, value })),
      ])
    },
    async putParts(parts: NonNullable<PutValueRequest['part']>[]): Promise<Value> {
      const { stream, answer } = beginPut()
      for (const part of parts) stream.write({ part })
      stream.end()
      return required((await answer).value)
    },
    get(address: string, options: { offset?: bigint; ifSha256?: Buffer } = {}) {
      const { offset = 0n, ifSha256 = Buffer.alloc(0) } = options
      return collect(raw.getValue({ address, offset, ifSha256 }, metadata))
    },
    readAndDelete: (address: string, ifSha256: Buffer = Buffer.alloc(0)) =>
      collect(raw.readAndDeleteValue({ address, ifSha256 }, metadata)),
    async describe(address: string): Promise<Value> {
      return required(
        (
          await promised<{ value: Value | undefined }>((done) =>
            raw.describeValue({ address }, metadata, done),
          )
        ).value,
      )
    },
    async reserve(request: Partial<ReserveAddressRequest> = {}): Promise<Value> {
      const full = { namespace: '', scope: '', timeToLive: undefined, requestId: '', ...request }
      return required(
        (
          await promised<{ value: Value | undefined }>((done) =>
            raw.reserveAddress(full, metadata, done),
          )
        ).value,
      )
    },
    async delete(address: string): Promise<boolean> {
      return (
        await promised<DeleteValueResponse>((done) => raw.deleteValue({ address }, metadata, done))
      ).deleted
    },
    list(request: Partial<ListValuesRequest> = {}) {
      const full = { namespace: '', scope: '', pageSize: 0, pageToken: '', ...request }
      return promised<ListValuesResponse>((done) => raw.listValues(full, metadata, done))
    },
    async startUpload(header: Partial<PutValueHeader> = {}): Promise<string> {
      const request = { header: PutValueHeader.fromPartial(header) }
      return (
        await promised<StartUploadResponse>((done) => raw.startUpload(request, metadata, done))
      ).uploadId
    },
    getUpload: (uploadId: string) =>
      promised<GetUploadResponse>((done) => raw.getUpload({ uploadId }, metadata, done)),
    openScope(request: Partial<OpenScopeRequest> = {}) {
      const full = { namespace: '', lease: undefined, displayName: '', requestId: '', ...request }
      return promised<OpenScopeResponse>((done) => raw.openScope(full, metadata, done))
    },
    keepScopeAlive: (scope: string) =>
      promised<KeepScopeAliveResponse>((done) => raw.keepScopeAlive({ scope }, metadata, done)),
    closeScope: (scope: string) =>
      promised<CloseScopeResponse>((done) => raw.closeScope({ scope }, metadata, done)),
    [Symbol.dispose]: () => raw.close(),
  }
}

export type TestClient = ReturnType<typeof connectStorage>

/** The answer of a unary call. */
function promised<Res>(
  call: (callback: (error: ServiceError | null, answer: Res) => void) => unknown,
): Promise<Res> {
  return new Promise((resolve, reject) => {
    call((error, answer) => (error ? reject(error) : resolve(answer)))
  })
}

async function collect(
  stream: AsyncIterable<GetValueResponse | ReadAndDeleteValueResponse>,
): Promise<ReadOutcome> {
  let value: Value | undefined
  const chunks: Buffer[] = []
  for await (const { part } of stream) {
    if (part?.$case === 'value') value = part.value
    if (part?.$case === 'chunk') chunks.push(part.value)
  }
  const chunkBytesMax = Math.max(0, ...chunks.map((chunk) => chunk.length))
  return { value: required(value), bytes: Buffer.concat(chunks), chunkBytesMax }
}

function required(value: Value | undefined): Value {
  if (value === undefined) throw new Error('the answer has no value')
  return value
}

const CHUNK_BYTES = 1024 * 1024

function chunksOf(bytes: Buffer): Buffer[] {
  const count = Math.ceil(bytes.length / CHUNK_BYTES)
  return Array.from({ length: count }, (_, i) =>
    bytes.subarray(i * CHUNK_BYTES, (i + 1) * CHUNK_BYTES),
  )
}

/** The refusal a call ended with: reason, facts, and the fields that were wrong. Throws when it went well. */
export async function refusalOf(call: Promise<unknown>) {
  const error = await call.then(
    () => undefined,
    (error: ServiceError) => error,
  )
  if (error === undefined) throw new Error('the call was not refused')
  const bytes = error.metadata?.get(STATUS_DETAILS_KEY)[0]
  if (!Buffer.isBuffer(bytes)) throw error
  const { reason, violations = [], code, metadata } = decodeErrorDetails(bytes)
  const fields = violations.map(({ field }) => field)
  return { reason, code, fields, metadata, message: error.details }
}
