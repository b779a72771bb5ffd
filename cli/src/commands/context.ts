/** What a command has to do with its process. */
export interface CommandContext {
  /** Sets the exit code for a command that ends without an error. */
  exitWith(code: number): void
}
