import { randomBytes } from 'node:crypto'
import { blobIdFrom } from './domain/blob-id.ts'
import { addressFrom, scopeIdFrom, uploadIdFrom } from './domain/identifier.ts'

/** 128 bits of the system's randomness: an address cannot be guessed. */
const random = () => randomBytes(16).toString('hex')

export const newAddress = () => addressFrom(random())
export const newScopeId = () => scopeIdFrom(random())
export const newUploadId = () => uploadIdFrom(random())
/** Tells one put from the next. */
export const newVersion = random
/** Tells one writer of blobs from the next: half of a blob's name, with as much randomness of its own. */
export const newWriterId = () => randomBytes(8).toString('hex')
export const newBlobId = (writerId: string) => blobIdFrom(randomBytes(8).toString('hex'), writerId)
/** Tells one reader, or writer, from the next. */
export const newClaim = random
