/** A started job. */
export interface JobHandle<R = unknown> {
  readonly id: string
  value(): Promise<R>
}
