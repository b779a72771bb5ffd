/** What keeps answers within one gRPC message (guarantee 6): 16 MiB for the SDK, 4 MiB where a client was not told otherwise. */

/** For what varies in one answer; the fixed fields of a thousand entries fit beside it. */
export const ANSWER_BYTES_MAX = 3 * 1024 * 1024
/** For one message of a stream. */
const PART_BYTES_MAX = 1024 * 1024

/** Says for one thing after another whether it still has room in the answer; the first always has. */
export function createRoom(bytesMax = ANSWER_BYTES_MAX): (bytes: number) => boolean {
  let left = bytesMax
  return (bytes) => {
    const fits = bytes <= left || left === bytesMax
    if (fits) left -= bytes
    return fits
  }
}

/** How many of the things, from the front, fit into one answer; at least one, so that there is always headway. */
export function countFitting<T>(things: readonly T[], bytesOf: (thing: T) => number): number {
  const hasRoom = createRoom()
  const end = things.findIndex((thing) => !hasRoom(bytesOf(thing)))
  return end < 0 ? things.length : end
}

/** The things in parts for the messages of a stream, in order. */
export function* inParts<T>(
  things: readonly T[],
  bytesOf: (thing: T) => number,
): Generator<T[], void, undefined> {
  let part: T[] = []
  let bytes = 0
  for (const thing of things) {
    const own = bytesOf(thing)
    if (part.length > 0 && bytes + own > PART_BYTES_MAX) {
      yield part
      part = []
      bytes = 0
    }
    part.push(thing)
    bytes += own
  }
  if (part.length > 0) yield part
}
