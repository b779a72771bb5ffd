import { ConfigError, type ConfigFault } from './config-error.ts'
import { redact } from './redact.ts'
import type { ConfigOf, Variable } from './variable.ts'

/**
 * Reads the environment into one frozen object. A variable that is empty counts as absent, because
 * that is how deployments leave one out. Throws a ConfigError with all faults at once.
 */
export function readConfig<F extends Record<string, Variable<unknown>>>(
  fields: F,
  env: NodeJS.ProcessEnv = process.env,
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
  return Object.freeze(config) as ConfigOf<F>
}

const messageOf = ({ message }: { message: string }) => message

function shown({ secret }: Variable<unknown>, text: string | undefined): string {
  return secret || text === undefined ? '' : ` (it is ${JSON.stringify(redact(text))})`
}
