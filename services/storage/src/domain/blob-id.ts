/**
 * Names of blobs: 16 hexadecimal digits of randomness, which spread them over folders, then the 16 of
 * whoever wrote them first. So a file tells by itself whose it is.
 */
const WRITER_DIGITS = 16

export function blobIdFrom(random: string, writerId: string): string {
  return `${random}${writerId}`
}

export function writerIdOf(blobId: string): string {
  return blobId.slice(-WRITER_DIGITS)
}
