/**
 * What a variable points to cannot be had at the moment: a database that does not answer, a port that is taken.
 * Starting again later may help, unlike with a ConfigError.
 */
export class UnavailableError extends Error {
  override readonly name = 'UnavailableError'

  constructor(variable: string, problem: string, options?: ErrorOptions) {
    super(`${variable}: ${problem}`, options)
  }
}
