/**
 * Looks at jobs that were started by SQL before they are queued, where their method has what SQL cannot evaluate: limits or labels that go
 * by an expression, or several schemas at once. What StartJob would refuse fails here.
 */
import type { Refusal } from '@offstage/kit/grpc'
import type { Admission } from '../admission/admission.ts'
import { labelsOf, limitKeyOf } from '../admission/limit-keys.ts'
import type { ChangedJob } from '../domain/held-job.ts'
import type { JobError } from '../domain/job.ts'
import type { CheckedStart, UncheckedStart } from '../domain/sql-start.ts'
import type { Methods } from '../executors/methods.ts'
import type { SqlStartStore } from '../ports/sql-starts.ts'
import type { Checks } from '../schemas/checks.ts'
import { checkParams } from './check-params.ts'
import { labelInvalid, limitKeyInvalid, paramsInvalid } from './refusals.ts'

export interface CheckSqlStartsOptions {
  readonly store: SqlStartStore
  readonly methods: Pick<Methods, 'find'>
  readonly checks: Checks
  readonly limitsOf: Admission['limitsOf']
  changed(jobs: readonly ChangedJob[]): void
}

const BATCH = 500

export function createCheckSqlStarts(options: CheckSqlStartsOptions) {
  const { store, changed } = options
  return async (signal: AbortSignal): Promise<void> => {
    for (let full = true; full && !signal.aborted; ) {
      const unchecked = await store.readUnchecked(BATCH)
      if (unchecked.length === 0) return
      const outcomes: Outcome[] = []
      // One after the other: each looks whether it is the turn of something else.
      for (const start of unchecked) outcomes.push(await check(options, start))
      const failed = outcomes.flatMap((each) => ('error' in each ? [each] : []))
      const checked = outcomes.flatMap((each) => ('error' in each ? [] : [each]))
      const changes = [
        failed.length === 0 ? [] : await store.fail(failed),
        checked.length === 0 ? [] : await store.queue(checked),
      ].flat()
      changed(changes)
      // Where another replica was faster in all of them it goes on with the rest.
      full = unchecked.length === BATCH && changes.length > 0
    }
  }
}

type Outcome = CheckedStart | { readonly id: string; readonly error: JobError }

async function check(
  { methods, checks, limitsOf }: CheckSqlStartsOptions,
  start: UncheckedStart,
): Promise<Outcome> {
  const { id, namespace, method } = start
  const terms = await methods.find(namespace, method)
  await checks.turn()
  // What cannot be read of a method is its executor's to judge.
  const isReadable = terms !== undefined && !('unreadable' in terms)
  const fit = isReadable ? checkParams(checks, start.params, terms) : { misfits: undefined }
  if ('violations' in fit) return { id, error: errorOf(paramsInvalid(method, fit.violations)) }
  const { misfits } = fit
  const expressions = isReadable ? terms.labelExpressions : undefined
  const made = expressions && checks.timed(() => labelsOf(expressions, start))
  if (made && 'fault' in made) return { id, error: errorOf(labelInvalid(method, made)) }
  const labels = made?.labels
  const expression = limitsOf(namespace, method)?.perKey?.keyExpression
  if (expression === undefined) return { id, misfits, labels, limitKey: undefined }
  const labeled = labels === undefined ? start : { ...start, labels }
  const found = checks.timed(() => limitKeyOf(expression, labeled))
  return 'key' in found
    ? { id, misfits, labels, limitKey: found.key }
    : { id, error: errorOf(limitKeyInvalid(method, expression, found.fault)) }
}

function errorOf({ message, reason }: Refusal): JobError {
  return { brief: message.slice(0, 1_000), detail: '', reason, retryable: false }
}
