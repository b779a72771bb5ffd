import type { Wrapping } from './wrapped-type.ts'

/** A value that cannot pass a codec, on its way or back. */
export class CodecError extends Error {
  override readonly name: string = 'CodecError'
  readonly reason: 'CODEC_UNKNOWN' | 'CODEC_FAILED'
  /** Of the value that was to be wrapped or unwrapped. */
  readonly contentType: string

  constructor(reason: CodecError['reason'], contentType: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.reason = reason
    this.contentType = contentType
  }

  static unknown(contentType: string, { name, keyId }: Wrapping): CodecError {
    const key = keyId === '' ? '' : ` with the key ${keyId}`
    const message =
      `the value was wrapped by "${name}"${key}, and no such wrapper is known here: name it in the codec ` +
      'of the method, or of Offstage.connect'
    return new CodecError('CODEC_UNKNOWN', contentType, message)
  }

  static unreadable(contentType: string): CodecError {
    const message = `the value is wrapped in a way that is not known here: ${contentType}`
    return new CodecError('CODEC_UNKNOWN', contentType, message)
  }

  static failed(
    act: 'wrap' | 'unwrap',
    contentType: string,
    name: string,
    cause: unknown,
  ): CodecError {
    const text = cause instanceof Error ? cause.message : String(cause)
    const message = `the wrapper "${name}" cannot ${act} the value: ${text}`
    return new CodecError('CODEC_FAILED', contentType, message, cause)
  }
}
