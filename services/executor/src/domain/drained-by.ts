/** Who asked for an executor to be drained, for the record of acts. */
export interface DrainedBy {
  readonly user: string
  readonly roles: string[]
  readonly peer: string
}
