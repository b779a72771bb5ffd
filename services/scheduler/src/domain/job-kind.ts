/** What caused a job: the numbers of offstage.jobs.v1.JobKind, which are also those in the database. */
export const JobKind = {
  program: 1,
  system: 2,
  scheduled: 3,
} as const
export type JobKind = (typeof JobKind)[keyof typeof JobKind]

export function isJobKind(value: number): value is JobKind {
  return Object.values(JobKind).some((kind) => kind === value)
}
