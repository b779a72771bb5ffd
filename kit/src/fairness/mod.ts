export { hasShare } from './has-share.ts'
export { Tallies } from './tallies.ts'
export { TokenBuckets } from './token-buckets.ts'
export { Turns, type TurnsOptions } from './turns.ts'
