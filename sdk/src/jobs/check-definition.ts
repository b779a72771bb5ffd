import type { DeadlineOptions, JobDefinition, RetryOptions } from './definition.ts'

/** Letters, digits, `_` and `-` in segments joined by dots (row J1). */
const METHOD = /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/
const METHOD_CHARACTERS_MAX = 200
const DESCRIPTION_CHARACTERS_MAX = 1000
const LANES: readonly unknown[] = [undefined, 'inline', 'task', 'work']

/** Whether `name` can name a method: the same rule as the scheduler's (row J1). */
export function isMethodName(name: string): boolean {
  return name.length <= METHOD_CHARACTERS_MAX && METHOD.test(name)
}

/** @throws TypeError naming the first malformed field. */
export function checkDefinition<P, R, I>(definition: Omit<JobDefinition<P, R, I>, 'kind'>): void {
  const { method, description, params, result, lane, run } = definition
  if (typeof method !== 'string' || !isMethodName(method)) {
    throw new TypeError(
      `method ${JSON.stringify(method)}: want segments of letters, digits, "_" and "-" joined by ` +
        `dots, at most ${METHOD_CHARACTERS_MAX} characters`,
    )
  }
  const refuse = (field: string, problem: string): never => {
    throw new TypeError(`job ${method}: ${field} ${problem}`)
  }
  if (typeof run !== 'function') refuse('run', 'must be a function')
  if (description !== undefined && description.length > DESCRIPTION_CHARACTERS_MAX) {
    refuse('description', `is over ${DESCRIPTION_CHARACTERS_MAX} characters`)
  }
  if (!LANES.includes(lane)) refuse('lane', 'must be "inline", "task" or "work"')
  if (params !== undefined && !isSchema(params)) refuse('params', 'is not a Standard Schema')
  if (result !== undefined && !isSchema(result)) refuse('result', 'is not a Standard Schema')
  checkRetry(definition.retry, refuse)
  checkDeadlines(definition.deadlines, refuse)
}

/** Refuses numbers outside their ranges (row J16); shared by definitions and starts. */
export function checkRetry(
  retry: RetryOptions | undefined,
  refuse: (field: string, problem: string) => never,
): void {
  if (retry === undefined) return
  const within = (name: keyof RetryOptions, min: number, max: number) => {
    const value = retry[name]
    if (value !== undefined && !(value >= min && value <= max)) {
      refuse(`retry.${name}`, `must be from ${min} to ${max}`)
    }
  }
  within('maxAttempts', 1, 1000)
  if (!Number.isInteger(retry.maxAttempts ?? 1)) refuse('retry.maxAttempts', 'must be whole')
  within('initialBackoffMs', 0, DURATION_MS_MAX)
  within('backoffMultiplier', 1, 100)
  within('backoffMsMax', 0, DURATION_MS_MAX)
  within('jitter', 0, 1)
}

/** Refuses durations that are not above 0 (row J17); shared by definitions and starts. */
export function checkDeadlines(
  deadlines: DeadlineOptions | undefined,
  refuse: (field: string, problem: string) => never,
): void {
  for (const [name, value] of Object.entries(deadlines ?? {})) {
    if (value !== undefined && !(value > 0 && value <= DURATION_MS_MAX)) {
      refuse(`deadlines.${name}`, `must be above 0 and at most ${DURATION_MS_MAX} ms`)
    }
  }
}

/** Ten years: what `google.protobuf.Duration` fields of the API take at most. */
const DURATION_MS_MAX = 10 * 366 * 24 * 3600 * 1000

function isSchema(value: object): boolean {
  return '~standard' in value
}
