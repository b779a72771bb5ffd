/**
 * What a google.protobuf.Struct of a progress or a message may hold. Readers of protobuf give up at a hundred messages
 * one inside the other, and a Struct takes three for each level of objects: with 32 levels every reader can take it,
 * wherever in an answer it stands.
 */

/** As JSON, in bytes. */
export const EXTRA_BYTES_MAX = 16 * 1024

/** Levels of objects and lists; the `extra` itself is the first. */
export const EXTRA_DEPTH_MAX = 32

/** Whether a plain JSON value has more than so many levels. */
export function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  return levels === 0 || Object.values(value).some((inner) => isDeeper(inner, levels - 1))
}
