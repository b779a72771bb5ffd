/** What runs can leave behind, by the numbers of the contract's LeakKind (row E4). */
export const LEAK_KINDS = [
  'timer',
  'socket',
  'file',
  'listener',
  'worker',
  'process',
  'heap',
  'request',
] as const

export type LeakKind = (typeof LEAK_KINDS)[number]

export function leakKindNumber(kind: LeakKind): number {
  return LEAK_KINDS.indexOf(kind) + 1
}

/** Undefined for one that this version does not know. */
export function leakKindFrom(number: number): LeakKind | undefined {
  return LEAK_KINDS[number - 1]
}
