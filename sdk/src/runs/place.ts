import { withoutOwnFrames } from '../jobs/own-frames.ts'

/** Where a call of ours was made: the frames of the caller's code, innermost first; empty where there are none. */
export function placeOfCall(): string {
  const [, ...frames] = new Error('here').stack?.split('\n') ?? []
  return withoutOwnFrames(frames.filter((frame) => !frame.includes('node:internal/')).join('\n'))
}

/** The innermost frame of a place, for a text of one line. */
export function firstFrame(place: string): string {
  return place.split('\n', 1)[0]?.trim() || 'at an unknown place'
}
