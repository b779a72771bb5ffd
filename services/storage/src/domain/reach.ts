/**
 * Whose things exist for somebody. It is asked for in the statement that reads them: of what is foreign nothing is read, which would
 * take a time that can be measured.
 */
export interface Reach {
  /** Undefined: everybody's. */
  readonly owner: string | undefined
  /** Undefined: those of all. */
  readonly namespaces: readonly string[] | undefined
}

/** Of the service itself. */
export const EVERYTHING: Reach = { owner: undefined, namespaces: undefined }
