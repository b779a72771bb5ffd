const EXTRA_BYTES_MAX = 16 * 1024

/**
 * The extra of a progress or a message as plain JSON, so that it can cross threads and the wire.
 *
 * @throws TypeError when JSON cannot hold it or it is over 16 KiB.
 */
export function checkExtra(extra: Record<string, unknown>): Record<string, unknown> {
  const text = JSON.stringify(extra)
  if (Buffer.byteLength(text) > EXTRA_BYTES_MAX) {
    throw new TypeError(`extra is over ${EXTRA_BYTES_MAX} bytes as JSON`)
  }
  return JSON.parse(text)
}
