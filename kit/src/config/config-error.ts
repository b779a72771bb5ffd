/** One thing that is wrong with the environment. */
export interface ConfigFault {
  /** The name of the environment variable. */
  readonly variable: string
  /** What is wrong with it, fit for people. Never shows the value of a secret. */
  readonly problem: string
}

/** The environment does not make a valid configuration. Lists all faults at once. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly faults: readonly ConfigFault[]

  constructor(faults: readonly ConfigFault[]) {
    const lines = faults.map(({ variable, problem }) => `  ${variable}: ${problem}`)
    super(['the configuration is not valid:', ...lines].join('\n'))
    this.faults = faults
  }
}
