/** The calls about tokens of attempts. */
import { type GuardedService, unary } from '@offstage/kit/grpc'
import type * as proto from '@offstage/proto/executor'
import type { AttemptTokens } from '../attempts/attempt-tokens.ts'
import { isJobId, isSessionId } from '../domain/ids.ts'
import { sessionKeyOf } from '../executors/session-key.ts'
import { invalidField } from '../refusals.ts'
import { namespaceFor } from './mapping.ts'

/** Without tokens, as in development mode, they answer that there are none. */
export function attemptCalls(
  tokens: AttemptTokens | undefined,
): Pick<
  GuardedService<proto.ExecutorServiceServer>,
  'issueAttemptToken' | 'checkAttempt' | 'getAttemptKeys'
> {
  return {
    issueAttemptToken: unary(
      'executors.attach',
      async (request: proto.IssueAttemptTokenRequest, { actor }) => {
        const { sessionId, jobId, attempt, privileged = false } = request
        const namespace = namespaceFor(actor, request.namespace)
        if (!isSessionId(sessionId)) throw invalidField('session_id', 'must be a lower-case UUID')
        if (!isJobId(jobId)) throw invalidField('job_id', 'must be a job id, a lower-case UUID')
        if (tokens === undefined) return { token: '', expireTime: undefined }
        const sessionKey = sessionKeyOf({ user: actor.user, namespace, sessionId })
        return tokens.issue({ jobId, attempt }, sessionKey, { privileged })
      },
    ),

    checkAttempt: unary(
      'identified',
      // Whose attempt has ended was not let in.
      async (_: proto.CheckAttemptRequest, { actor }) => actor.attempt ?? { jobId: '', attempt: 0 },
    ),

    getAttemptKeys: unary('identified', async (_: proto.GetAttemptKeysRequest) => ({
      jwks: (await tokens?.jwks()) ?? NO_KEYS,
    })),
  }
}

const NO_KEYS = '{"keys":[]}'
