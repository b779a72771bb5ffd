import { randomFillSync } from 'node:crypto'
import { v7 } from 'uuid'

const POOL_BYTES = 16 * 256
const pool = Buffer.allocUnsafe(POOL_BYTES)
let used = POOL_BYTES

/** A UUID of version 7: ids sort by creation time, which keeps index pages warm and lists in order. */
export function newJobId(): string {
  if (used === POOL_BYTES) {
    randomFillSync(pool)
    used = 0
  }
  used += 16
  return v7({ random: pool.subarray(used - 16, used) })
}
