/** Asks the scheduler for the tokens of attempts, as who attaches: on the main thread, where no handler runs. */
import type { Metadata } from '@grpc/grpc-js'
import {
  ExecutorServiceClient,
  type IssueAttemptTokenRequest,
  type IssueAttemptTokenResponse,
} from '@offstage/proto/executor'
import { type Credential, isTokenRefused } from '@offstage/sdk/client'
import {
  type Channel,
  type ChannelTls,
  callUnary,
  createSchedulerChannel,
  OffstageError,
} from '@offstage/sdk/grpc'
import type { IssueToken } from '../ports.ts'

export interface AttemptTokensOptions {
  /** `host:port` of the scheduler. */
  readonly address: string
  readonly tls?: ChannelTls
  /** Who attaches. */
  readonly credential: Credential
  readonly namespace: string
  /** The present session. */
  sessionId(): string
}

/** The handler's client asks again where that may help. */
const DEADLINE_MS = 10_000

export class AttemptTokens {
  readonly #options: AttemptTokensOptions
  #channel: Channel | undefined

  constructor(options: AttemptTokensOptions) {
    this.#options = options
  }

  /** Never rejects: why there is none is an answer too. */
  readonly issue: IssueToken = async ({ jobId, attempt }, { privileged }) => {
    const { namespace, sessionId } = this.#options
    try {
      const asked = { sessionId: sessionId(), namespace, jobId, attempt }
      const { token } = await this.#ask({ ...asked, privileged: privileged || undefined })
      return { kind: 'token', token }
    } catch (error) {
      if (!(error instanceof OffstageError)) throw error
      const { code, reason, retryDelayMs } = error
      const message = `the executor gets no token for this attempt: ${error.message}`
      return {
        kind: 'refused',
        refusal: { code, reason, message, ...(retryDelayMs !== undefined && { retryDelayMs }) },
      }
    }
  }

  close(): void {
    this.#channel?.close()
  }

  /** Once more with another token of the executor's own, where the first was refused. */
  async #ask(request: IssueAttemptTokenRequest): Promise<IssueAttemptTokenResponse> {
    const { credential } = this.#options
    const metadata = await credential.metadata()
    try {
      return await this.#call(request, metadata)
    } catch (error) {
      const next = isTokenRefused(error) ? await credential.afterRefusal(metadata) : undefined
      if (next === undefined) throw error
      return await this.#call(request, next)
    }
  }

  #call(request: IssueAttemptTokenRequest, metadata: Metadata) {
    const { address, tls } = this.#options
    this.#channel ??= createSchedulerChannel(address, { tls })
    const client = this.#channel.client(ExecutorServiceClient)
    return callUnary<IssueAttemptTokenRequest, IssueAttemptTokenResponse>(
      client.issueAttemptToken.bind(client),
      request,
      { metadata, deadlineMs: DEADLINE_MS, target: this.#channel },
    )
  }
}
