import type { Writable } from 'node:stream'
import type { SlowReaders } from './slow-readers.ts'

/**
 * Writes an answer; resolves when its last byte has left this process, or never will, and rejects with SLOW_READER when its
 * reader has not made room for it in time.
 */
export function written(stream: Writable, message: unknown, readers: SlowReaders): Promise<void> {
  return new Promise((resolve, reject) => {
    const gone = readers.wait((reason) => {
      stream.off('close', settle)
      reject(reason)
    })
    const settle = () => {
      gone()
      stream.off('close', settle)
      resolve()
    }
    // grpc-js passes on the callback of the HTTP/2 stream. Of a call that has ended meanwhile it never comes.
    stream.once('close', settle)
    stream.write(message, settle)
  })
}
