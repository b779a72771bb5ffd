/** What `jobs.options` holds. SQL reads deadlines (retry-job.ts), `cancelWithParent` (insert-jobs.ts, cancel-jobs.ts), `childrenPolicy` (parents.ts), `misfits` (claim-jobs.ts), `requestedMethod` (find-existing.ts), `foreground` and `homePool` (foreground.ts, retry-job.ts) of it. */
import { CHILDREN_POLICY_NAMES } from '../domain/attached-children.ts'
import type { Foreground } from '../domain/foreground.ts'
import type { StartOptions } from '../domain/start-command.ts'
import { retry } from './retry-codec.ts'
import { createShape, flag, number, oneOf, text, texts } from './stored-shape.ts'

const OPTIONS = createShape<StartOptions>('job options', 1, {
  displayName: text,
  scope: text,
  resultAddress: text,
  wantAdditionalResult: flag,
  additionalResultAddress: text,
  cancelWithParent: flag,
  childrenPolicy: oneOf(CHILDREN_POLICY_NAMES),
  retry,
  attemptDeadlineMs: number,
  queueDeadlineMs: number,
  totalDeadlineMs: number,
  heartbeatDeadlineMs: number,
  tracestate: text,
  paramsOwned: flag,
  privileged: flag,
  misfits: texts,
  requestedMethod: text,
  foreground: oneOf<Foreground>(['only', 'first']),
  homePool: text,
})

export function storedOptions(options: StartOptions | undefined) {
  return options && OPTIONS.write(options)
}

export function optionsFromStored(stored: unknown): StartOptions | undefined {
  return stored === null ? undefined : OPTIONS.read(stored)
}
