/** What is done to many jobs at once, by plain gRPC. */
import * as proto from '@offstage/proto/jobs'
import { ask } from './ask.ts'
import { type Draft, millis } from './draft.ts'
import type { Bundle } from './setup.ts'

type Verb = 'cancel' | 'retry' | 'delete'
type Request = Draft<proto.CancelJobsRequest & proto.RetryJobsRequest>

export function connectBulk({ jobs: { raw } }: Pick<Bundle, 'jobs'>) {
  const call = (verb: Verb, request: Request, user?: string) => {
    if (verb === 'cancel') {
      return ask(raw, raw.cancelJobs, proto.CancelJobsRequest, request, user)
    }
    return verb === 'retry'
      ? ask(raw, raw.retryJobs, proto.RetryJobsRequest, request, user)
      : ask(raw, raw.deleteJobs, proto.DeleteJobsRequest, request, user)
  }
  return {
    call,
    /** Does it, and waits for the end; the answer has it. */
    async run(verb: Verb, text: string, user?: string, terms: Request = {}) {
      const request = { filter: { text }, inlineWait: millis(20_000), ...terms }
      const { job } = await call(verb, request, user)
      const result = job?.completion?.result?.source
      const value: unknown =
        result?.$case === 'inline' ? JSON.parse(result.value.toString()) : undefined
      return { jobId: job?.jobId ?? '', state: job?.state, result: value }
    },
    async preview(verb: Verb, text: string, user?: string) {
      const answer = await call(verb, { filter: { text }, validateOnly: true }, user)
      return answer.selection
    },
  }
}
