import { isDeeper } from '@offstage/proto/extra'
import { LIMITS } from '@offstage/proto/limits'
import { jsonText, NotEncodableError } from '@offstage/sdk/jobs'

/**
 * The extra of a progress or a message as plain JSON, so that it can cross threads and the wire.
 *
 * @throws TypeError when it is no object, JSON cannot hold it or would lose some of it, it is over 16 KiB or nested more than 32 levels deep.
 */
export function checkExtra(extra: Record<string, unknown>): Record<string, unknown> {
  const text = jsonOf('extra', extra)
  if (!text?.startsWith('{')) throw new TypeError('extra must be an object')
  if (Buffer.byteLength(text) > LIMITS.extraBytesMax) {
    throw new TypeError(`extra is over ${LIMITS.extraBytesMax} bytes as JSON`)
  }
  const plain: Record<string, unknown> = JSON.parse(text)
  if (isDeeper(plain, LIMITS.extraDepthMax)) {
    throw new TypeError(`extra is nested more than ${LIMITS.extraDepthMax} levels deep`)
  }
  return plain
}

/** @throws TypeError that names `what`, and where in it JSON cannot hold it or would lose some of it */
export function jsonOf(what: string, value: unknown): string | undefined {
  try {
    return jsonText(value)
  } catch (cause) {
    if (!(cause instanceof NotEncodableError)) throw cause
    const { path, problem } = cause
    throw new TypeError(`${what}${path === '' ? '' : `.${path}`}: ${problem}`, { cause })
  }
}
