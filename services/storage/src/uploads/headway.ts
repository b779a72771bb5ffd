import type { PartSums } from '../blobs/part-sums.ts'
import { LEASE_MS } from '../keep-lease.ts'
import type { BlobWriter } from '../ports/blobs.ts'
import type { StorageParts } from '../ports/parts.ts'
import type { Upload } from '../ports/uploads.ts'

/** What a dying process loses at most, beside what came within one renewal of its lease. */
const CHECKPOINT_BYTES = 8 * 1024 * 1024

/** How far one writer has come with an upload: bytes written, and those of them its row counts as safe. */
export class Headway {
  readonly #storage: StorageParts
  readonly #upload: Upload
  readonly #writer: string
  readonly #blob: BlobWriter
  readonly #sums: PartSums
  #written: number
  #safe: number

  /** `sums`: those of what was received before; gone on with here. */
  constructor(
    storage: StorageParts,
    upload: Upload,
    writer: string,
    { blob, sums }: { blob: BlobWriter; sums: PartSums },
  ) {
    this.#storage = storage
    this.#upload = upload
    this.#writer = writer
    this.#blob = blob
    this.#sums = sums
    this.#written = upload.received
    this.#safe = upload.received
  }

  get written(): number {
    return this.#written
  }

  /** Of all that is written. */
  get partSums(): Buffer {
    return this.#sums.toBuffer()
  }

  /** Resolves to false when the upload is not this writer's any more. */
  async write(chunk: Buffer): Promise<boolean> {
    await this.#blob.write(chunk)
    this.#written += chunk.length
    this.#sums.add(chunk)
    return this.#written - this.#safe < CHECKPOINT_BYTES || (await this.keep())
  }

  /**
   * Makes safe what is written and renews the writer's lease. Only headway puts off the end of the
   * upload: past it nothing is kept. Resolves to false when the upload is not this writer's any more.
   */
  async keep(): Promise<boolean> {
    const received = this.#written
    const partSums = this.partSums
    if (received > this.#safe) await this.#blob.sync()
    const { uploads, uploadIdleMsMax } = this.#storage
    const progress = { received, partSums, leaseMs: LEASE_MS, idleMsMax: uploadIdleMsMax }
    const kept = await uploads.advance(this.#upload.id, this.#writer, progress)
    if (kept) this.#safe = Math.max(this.#safe, received)
    return kept
  }
}
