/** Of a job's message: the numbers of offstage.jobs.v1.MessageSeverity, which are also those in the database. */
export const Severity = {
  info: 1,
  warning: 2,
  error: 3,
} as const
export type Severity = (typeof Severity)[keyof typeof Severity]

export function isSeverity(value: number): value is Severity {
  return Object.values(Severity).some((severity) => severity === value)
}
