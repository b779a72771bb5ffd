/** Who does something, in which roles, from where and by which call. */
export interface ActBy {
  readonly user: string
  readonly roles: readonly string[]
  /** Address of the other end of the connection. */
  readonly peer: string
  /** The RPC, such as `StorageService.GetValue`. */
  readonly call: string
}

/** What an administrator does with a value or scope of somebody else. */
export interface ForeignAct extends ActBy {
  /** Its address or id. */
  readonly target: string
  readonly owner: string
  readonly namespace: string
}
