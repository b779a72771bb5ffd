/** Levels of owners, in the order in which handlers that are due together run (row I3). */
export const ownerLevels = ['application', 'module', 'form'] as const

/** What a handler belongs to: the whole application, one of its modules, or one open form. */
export type OwnerLevel = (typeof ownerLevels)[number]

/**
 * Something handlers are attached to, created by `IdleHandlers.owner`. Its handlers live as long as it
 * does (row I4), so `using form = handlers.owner('form', 'invoice')` is all the cleaning up there is.
 */
export interface IdleOwner extends Disposable {
  readonly level: OwnerLevel
  /** For people: appears in errors. Need not be unique. */
  readonly name: string
  /** Whether handlers can be attached: opened, which owners are from the start unless told otherwise, and not disposed. */
  readonly isOpen: boolean
  /** True once this owner, or the table it came from, is disposed. An asynchronous handler can ask. */
  readonly disposed: boolean
  /** Lets handlers be attached to an owner created with `open: false`. Opening twice, or after its end, is nothing. */
  open(): void
  /**
   * Detaches all handlers of this owner; from now on `attach` refuses it. A handler that is running
   * goes on to its end and does not run again. Disposing twice is nothing.
   */
  dispose(): void
}

/** How an owner begins. */
export interface IdleOwnerOptions {
  /**
   * False for a form that is still being built: `attach` refuses it until `open()`. Default: true.
   */
  readonly open?: boolean
}
