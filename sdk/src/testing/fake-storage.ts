/** For tests: a storage service that keeps values in memory, behind a real gRPC server on a free port. */
import { createHash } from 'node:crypto'
import {
  Server,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js'
import {
  type GetValueRequest,
  type GetValueResponse,
  type PutValueHeader,
  type PutValueRequest,
  type PutValueResponse,
  StorageServiceService,
  Value,
} from '@offstage/proto/storage'
import { listenLocally, type Refused, refusalOf } from './fake-server.ts'
import { addressOf, scopeOf } from './place-names.ts'

interface FakeValue {
  readonly bytes: Buffer
  readonly header: PutValueHeader
}

const CHUNK_BYTES = 64 * 1024

export class FakeStorage implements AsyncDisposable {
  readonly values = new Map<string, FakeValue>()
  readonly uploads = new Map<string, { header: PutValueHeader; bytes: Buffer }>()
  /** Where each read began. */
  readonly offsets: number[] = []
  /** Scopes that are open, and how often each was renewed. */
  readonly scopes = new Map<string, number>()
  /** How many descriptions and signs of life were asked for. */
  asked = 0
  /** Refusals of descriptions, in turn. */
  readonly refusals: Refused[] = []
  /** Breaks that many reads, each after one chunk. */
  readBreaks = 0
  /** Breaks that many writes, each after one chunk. */
  writeBreaks = 0
  /** Each of them after more bytes than that. */
  writeBreaksAfter = 0
  /** Streams of a put of which a chunk has come, and those whose end has, well or not. */
  writesBegun = 0
  writesEnded = 0
  /** Loses the answers of that many writes, after the value was stored. */
  lostAnswers = 0
  /** What happens before such a write is repeated. */
  onLostAnswer: (address: string) => void = () => {}
  /** Tells that many times that an upload is shorter than it is. */
  staleOffsets = 0
  /** What becomes of uploads that are done: the answer is given again, or there is no such upload. */
  remembersUploads = true
  /** Finds every value damaged after one chunk. */
  damaged = false
  /** Refuses that many reads before anything was sent. */
  readRefusals = 0
  /** Reads that are open. */
  readsOpen = 0
  /** Writes are answered with another checksum. */
  corrupts = false
  /** Values as puts with a request id were answered. */
  readonly #answered = new Map<string, Value>()
  readonly #server = new Server()
  address = ''

  async listen(): Promise<this> {
    this.#server.addService(StorageServiceService, {
      putValue: (
        call: ServerReadableStream<PutValueRequest, PutValueResponse>,
        done: sendUnaryData<PutValueResponse>,
      ) => this.#put(call, done),
      getValue: (call: ServerWritableStream<GetValueRequest, GetValueResponse>) => {
        this.#get(call)
      },
      readAndDeleteValue: (call: ServerWritableStream<GetValueRequest, GetValueResponse>) => {
        if (this.#get(call)) this.values.delete(call.request.address)
      },
      describeValue: answer(({ address }: { address: string }) => {
        this.asked += 1
        const refusal = this.refusals.shift()
        if (refusal !== undefined) throw refusalOf(refusal)
        return { value: this.#described(address) }
      }),
      deleteValue: answer(({ address }: { address: string }) => ({
        deleted: this.values.delete(address),
      })),
      reserveAddress: answer(({ scope }: { scope: string }) => ({
        value: Value.fromPartial({ address: addressOf('reserved'), scope, reserved: true }),
      })),
      listValues: answer(({ pageToken }: { pageToken: string }) => {
        const addresses = [...this.values.keys()]
        const at = Number(pageToken || 0)
        const values = addresses.slice(at, at + 1).map((address) => this.#described(address))
        return { values, nextPageToken: at + 1 < addresses.length ? String(at + 1) : '' }
      }),
      startUpload: answer(({ header }: { header: PutValueHeader }) => {
        const uploadId = `upload-${this.uploads.size + 1}`
        this.uploads.set(uploadId, { header, bytes: Buffer.alloc(0) })
        return { uploadId }
      }),
      getUpload: answer(({ uploadId }: { uploadId: string }) => {
        const upload = this.uploads.get(uploadId)
        if (upload === undefined) throw uploadNotFound()
        if (this.staleOffsets > 0) return { received: BigInt(this.staleOffsets--) }
        return { received: BigInt(upload.bytes.byteLength) }
      }),
      openScope: answer(() => {
        const scope = scopeOf(this.scopes.size + 1)
        this.scopes.set(scope, 0)
        return { scope }
      }),
      keepScopeAlive: answer(({ scope }: { scope: string }) => {
        this.asked += 1
        const renewed = this.scopes.get(scope)
        if (renewed === undefined)
          throw refusalOf({ code: status.NOT_FOUND, reason: 'SCOPE_NOT_FOUND' })
        this.scopes.set(scope, renewed + 1)
        return {}
      }),
      closeScope: answer(({ scope }: { scope: string }) => {
        this.scopes.delete(scope)
        return { deletedCount: 0 }
      }),
    })
    this.address = await listenLocally(this.#server)
    return this
  }

  /** Stores JSON as if an executor had. */
  keep(address: string, value: unknown): void {
    const bytes = Buffer.from(JSON.stringify(value))
    this.values.set(address, {
      bytes,
      header: { contentType: 'application/json' } as PutValueHeader,
    })
  }

  #described(address: string): Value {
    const value = this.values.get(address)
    if (value === undefined) {
      throw refusalOf({ code: status.NOT_FOUND, reason: 'VALUE_NOT_FOUND' })
    }
    const { bytes, header } = value
    const sha256 = createHash('sha256')
      .update(this.corrupts ? 'other' : bytes)
      .digest()
    const { scope } = header
    const contentType = header.contentType || 'application/octet-stream'
    return {
      ...Value.fromPartial({ address, contentType, scope }),
      size: BigInt(bytes.byteLength),
      sha256,
    }
  }

  #put(
    call: ServerReadableStream<PutValueRequest, PutValueResponse>,
    done: sendUnaryData<PutValueResponse>,
  ): void {
    let header: PutValueHeader | undefined
    let bytes: Buffer = Buffer.alloc(0)
    let broken = false
    let sealed = false
    call.on('data', ({ part }: PutValueRequest) => {
      if (broken) return
      if (part?.$case === 'header') {
        header = part.value
        const upload = this.uploads.get(header.uploadId)
        bytes = upload?.bytes ?? bytes
        const expected = String(bytes.byteLength)
        if (header.uploadId !== '' && upload === undefined) {
          broken = true
          done(uploadNotFound(), null)
        } else if (expected !== String(header.offset)) {
          broken = true
          const reason = 'OFFSET_INVALID'
          done(refusalOf({ code: status.OUT_OF_RANGE, reason, metadata: { expected } }), null)
        }
      } else if (part?.$case === 'chunk') {
        this.writesBegun += 1
        bytes = Buffer.concat([bytes, part.value])
        const upload = this.uploads.get(header?.uploadId ?? '')
        if (upload !== undefined) upload.bytes = bytes
        if (this.writeBreaks === 0 || bytes.byteLength <= this.writeBreaksAfter) return
        this.writeBreaks -= 1
        broken = true
        done({ code: status.UNAVAILABLE, details: 'broken' }, null)
      } else if (part?.$case === 'trailer') {
        sealed = part.value.sha256.equals(createHash('sha256').update(bytes).digest())
      }
    })
    call.on('end', () => {
      this.writesEnded += 1
      if (broken || header === undefined) return
      if (header.trailer && !sealed) {
        done({ code: status.INVALID_ARGUMENT, details: 'no trailer' }, null)
        return
      }
      const answered = this.#answered.get(header.requestId)
      if (answered !== undefined) {
        done(null, { value: answered })
        return
      }
      const address = header.address || addressOf(this.values.size + 1)
      this.values.set(address, { bytes, header })
      if (header.requestId !== '') this.#answered.set(header.requestId, this.#described(address))
      if (!this.remembersUploads) this.uploads.delete(header.uploadId)
      if (this.lostAnswers > 0) {
        this.lostAnswers -= 1
        this.onLostAnswer(address)
        done({ code: status.UNAVAILABLE, details: 'lost' }, null)
      } else done(null, { value: this.#described(address) })
    })
    call.on('error', () => {})
  }

  /** Whether the value was sent whole. */
  #get(call: ServerWritableStream<GetValueRequest, GetValueResponse>): boolean {
    const { address, offset = 0n } = call.request
    if (this.readRefusals > 0) {
      this.readRefusals -= 1
      call.emit('error', { code: status.UNAVAILABLE, details: 'away' })
      return false
    }
    this.readsOpen += 1
    call.once('close', () => {
      this.readsOpen -= 1
    })
    const held = this.values.get(address)
    if (held === undefined) {
      call.emit('error', refusalOf({ code: status.NOT_FOUND, reason: 'VALUE_NOT_FOUND' }))
      return false
    }
    const value = this.#described(address)
    const { ifSha256 } = call.request
    if (ifSha256.byteLength > 0 && !ifSha256.equals(value.sha256)) {
      call.emit('error', refusalOf({ code: status.ABORTED, reason: 'ETAG_MISMATCH' }))
      return false
    }
    this.offsets.push(Number(offset))
    call.write({ part: { $case: 'value', value } })
    for (let at = Number(offset); at < held.bytes.byteLength; at += CHUNK_BYTES) {
      const chunk = held.bytes.subarray(at, at + CHUNK_BYTES)
      call.write({ part: { $case: 'chunk', value: chunk } })
      if (this.damaged) {
        call.emit('error', refusalOf({ code: status.DATA_LOSS, reason: 'VALUE_DAMAGED' }))
        return false
      }
      if (this.readBreaks > 0) {
        this.readBreaks -= 1
        call.emit('error', { code: status.UNAVAILABLE, details: 'broken' })
        return false
      }
    }
    call.end()
    return true
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.forceShutdown()
  }
}

function uploadNotFound() {
  return refusalOf({ code: status.NOT_FOUND, reason: 'UPLOAD_NOT_FOUND' })
}

function answer<Req, Res>(handler: (request: Req) => Res) {
  return ({ request }: ServerUnaryCall<Req, Res>, callback: sendUnaryData<Res>) => {
    try {
      callback(null, handler(request))
    } catch (error) {
      callback(error as Error, null)
    }
  }
}
