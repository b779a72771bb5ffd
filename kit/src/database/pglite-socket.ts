import { Duplex } from 'node:stream'
import type { PGlite } from '@electric-sql/pglite'

/**
 * Looks like a socket to `pg` and hands the bytes of the PostgreSQL protocol to PGlite, which runs
 * them at once in this thread. So prepared statements, types and errors are those of a server, and
 * a statement takes one call into PGlite instead of the six of PGlite's own query().
 */
export class PgliteSocket extends Duplex {
  readonly #pglite: PGlite

  constructor(pglite: PGlite) {
    super()
    this.#pglite = pglite
  }

  /** There is one session, which outlives its connections: what the last one left in it would be in the way. */
  connect(): this {
    this.#pglite
      .exec('ROLLBACK')
      .then(() => this.#pglite.exec('DISCARD ALL'))
      .then(
        () => this.emit('connect'),
        (error) => this.destroy(error),
      )
    return this
  }

  // The rest of what pg and its pool call on a socket means nothing here.

  setNoDelay(): this {
    return this
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#run(chunk, done)
  }

  /** `pg` corks the messages of one statement, which arrive here together. */
  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.#run(Buffer.concat(chunks.map(({ chunk }) => chunk)), done)
  }

  override _final(done: () => void): void {
    this.push(null)
    done()
  }

  /** In a turn of its own, so that a chain of statements does not keep timers and sockets waiting. */
  #run(message: Buffer, done: (error?: Error | null) => void): void {
    setImmediate(async () => {
      const answer: Buffer[] = []
      try {
        // The bytes are a view into PGlite's memory: copied before it goes on.
        const onRawData = (bytes: Uint8Array) => answer.push(Buffer.from(bytes))
        await this.#pglite.execProtocolRawStream(message, { onRawData })
        if (answer.length > 0) this.push(Buffer.concat(answer))
        done()
      } catch (error) {
        done(error instanceof Error ? error : new Error(String(error)))
      }
    })
  }
}
