import type { Attachment, AttachmentOwner, IdleHandler } from './attachment.ts'
import type { IdleOwnerOptions, OwnerLevel } from './owner.ts'

/** What an owner needs of its table. */
export interface OwnerTable {
  readonly disposed: boolean
  /** Takes all attachments of the owner out of the table. */
  release(owner: TableOwner): void
}

/** The table's own view of an owner: also knows which handlers are attached to it. */
export class TableOwner implements AttachmentOwner {
  readonly level: OwnerLevel
  readonly name: string
  readonly table: OwnerTable
  readonly attachments = new Map<IdleHandler, Attachment>()
  #opened: boolean
  #disposed = false

  constructor(
    table: OwnerTable,
    level: OwnerLevel,
    name: string,
    { open = true }: IdleOwnerOptions = {},
  ) {
    this.#opened = open
    this.table = table
    this.level = level
    this.name = name
  }

  get isOpen(): boolean {
    return this.#opened && !this.disposed
  }

  get disposed(): boolean {
    return this.#disposed || this.table.disposed
  }

  open(): void {
    this.#opened = true
  }

  dispose(): void {
    if (this.#disposed) return
    this.#disposed = true
    this.table.release(this)
  }

  [Symbol.dispose](): void {
    this.dispose()
  }
}
