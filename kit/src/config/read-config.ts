import { ConfigError, type ConfigFault } from './config-error.ts'
import { redact } from './redact.ts'
import type { ConfigOf, Variable } from './variable.ts'

/**
 * Reads the environment into one frozen object. A variable that is empty counts as absent, because
 * that is how deployments leave one out. Throws a ConfigError with all faults at once.
 *
 * @param check finds what is wrong between values that are right by themselves
 */
export function readConfig<F extends Record<string, Variable<unknown>>>(
  fields: F,
  env: NodeJS.ProcessEnv = process.env,
  check: (config: ConfigOf<F>) => readonly ConfigFault[] = () => [],
): ConfigOf<F> {
  const faults: ConfigFault[] = []
  const config: Record<string, unknown> = {}
  for (const [key, field] of Object.entries(fields)) {
    const text = env[field.name] === '' ? undefined : env[field.name]
    const result = field.schema.safeParse(text)
    config[key] = result.data
    if (result.error === undefined) continue
    const problems = text === undefined ? ['is required'] : result.error.issues.map(messageOf)
    for (const problem of problems) {
      faults.push({ variable: field.name, problem: problem + shown(field, text) })
    }
  }
  if (faults.length > 0) throw new ConfigError(faults)
  // Every key of F has its parsed value: a fault would have thrown above.
  const whole = Object.freeze(config) as ConfigOf<F>
  const between = check(whole)
  if (between.length > 0) throw new ConfigError(between)
  return whole
}

const messageOf = ({ message }: { message: string }) => message

function shown({ secret }: Variable<unknown>, text: string | undefined): string {
  return secret || text === undefined ? '' : ` (it is ${JSON.stringify(redact(text))})`
}
