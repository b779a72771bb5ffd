/** A message of which a test gives only what matters. */
export type Draft<T> = T extends Uint8Array | Date | bigint
  ? T
  : T extends readonly (infer U)[]
    ? readonly Draft<U>[]
    : T extends object
      ? { readonly [K in keyof T]?: Draft<T[K]> }
      : T

/** Fills in what the draft leaves out. */
export function complete<T>(type: { fromPartial(draft: never): T }, draft: Draft<T>): T {
  return type.fromPartial(draft as never)
}

export function millis(ms: number): { seconds: bigint; nanos: number } {
  return { seconds: BigInt(Math.trunc(ms / 1_000)), nanos: (ms % 1_000) * 1e6 }
}
