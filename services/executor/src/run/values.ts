/**
 * Temp storage as one attempt uses it: parameters too large for a message come from here, results
 * too large go here, on behalf of the job's owner. While the storage service cannot be reached the
 * attempt waits, until it is stopped.
 */

import { Metadata } from '@grpc/grpc-js'
import type {
  GetValueResponse,
  PutValueHeader,
  PutValueRequest,
  PutValueResponse,
  StorageServiceClient,
} from '@offstage/proto/storage'
import { type CallOptions, callClientStream, callServerStream, retrying } from '@offstage/sdk/grpc'
import type { AttemptOrder, ValueAddress } from '../domain/attempt.ts'

const CHUNK_BYTES = 256 * 1024
/** With pauses up to 5 s: some ten minutes. */
const TRIES_MAX = 120

export interface StoredBytes {
  readonly bytes: Uint8Array
  readonly contentType: string
}

export interface PutOptions {
  /** Absent: a new address. */
  readonly address: string | undefined
  readonly contentType: string
}

export class Values {
  readonly #client: StorageServiceClient
  readonly #order: AttemptOrder
  readonly #call: CallOptions

  constructor(client: StorageServiceClient, order: AttemptOrder, call: CallOptions) {
    this.#client = client
    this.#order = order
    this.#call = { ...call, metadata: identityOf(order) }
  }

  get(address: string): Promise<StoredBytes> {
    return retrying({ attempts: TRIES_MAX, signal: this.#call.signal }, () => this.#get(address))
  }

  /** A stream is sent once as it comes; bytes are sent again when the storage was not there. */
  put(value: Uint8Array | AsyncIterable<Uint8Array>, options: PutOptions): Promise<ValueAddress> {
    if (!(value instanceof Uint8Array)) return this.#put(options, {}, value)
    const known = { size: BigInt(value.byteLength) }
    return retrying({ attempts: TRIES_MAX, signal: this.#call.signal }, () =>
      this.#put(options, known, [value]),
    )
  }

  async #get(address: string): Promise<StoredBytes> {
    const request = { address, offset: 0n, ifSha256: Buffer.alloc(0) }
    const chunks: Buffer[] = []
    let contentType = ''
    const responses = callServerStream<typeof request, GetValueResponse>(
      this.#client.getValue.bind(this.#client),
      request,
      this.#call,
    )
    for await (const { part } of responses) {
      if (part?.$case === 'value') contentType = part.value.contentType
      else if (part?.$case === 'chunk') chunks.push(part.value)
    }
    return { bytes: Buffer.concat(chunks), contentType }
  }

  async #put(
    { address = '', contentType }: PutOptions,
    known: { size?: bigint },
    chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  ): Promise<ValueAddress> {
    const { namespace, scope = '', owner = '' } = this.#order
    const header: PutValueHeader = {
      namespace,
      address,
      contentType,
      scope,
      owner,
      timeToLive: undefined,
      sha256: Buffer.alloc(0),
      size: known.size,
      uploadId: '',
      offset: 0n,
    }
    const { value } = await callClientStream<PutValueRequest, PutValueResponse>(
      this.#client.putValue.bind(this.#client),
      requestsOf(header, chunks),
      this.#call,
    )
    return { address: value?.address ?? address, contentType }
  }
}

function identityOf({ owner, token }: AttemptOrder): Metadata {
  const metadata = new Metadata()
  if (token !== undefined) metadata.set('authorization', `Bearer ${token}`)
  else if (owner !== undefined) metadata.set('offstage-user', owner)
  return metadata
}

async function* requestsOf(
  header: PutValueHeader,
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): AsyncGenerator<PutValueRequest> {
  yield { part: { $case: 'header', value: header } }
  for await (const chunk of chunks) {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
      yield { part: { $case: 'chunk', value: bytes.subarray(at, at + CHUNK_BYTES) } }
    }
  }
}
