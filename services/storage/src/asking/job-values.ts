/** Asks the scheduler which values jobs need, by a token that says that storage asks; in development mode by none. */
import { readFile } from 'node:fs/promises'
import { Client, Metadata } from '@grpc/grpc-js'
import { type ChannelTls, channelSecurity } from '@offstage/proto/channel-credentials'
import { ExecutorServiceService } from '@offstage/proto/executor'
import { resolutionOptions } from '@offstage/proto/name-resolution'
import type { JobValues } from '../ports/job-values.ts'

const DEADLINE_MS = 10_000

export interface AskOptions {
  /** Of the scheduler. */
  readonly address: string
  readonly tls: ChannelTls | undefined
  readonly token?: string | undefined
  /** Has the token, in its place; read for each question. */
  readonly tokenFile?: string | undefined
}

/** Calls nobody before it is asked. */
export function createJobValues(options: AskOptions): JobValues & Disposable {
  const { address, tls } = options
  const { credentials, options: security } = channelSecurity(tls, address)
  const client = new Client(address, credentials, { ...security, ...resolutionOptions(address) })

  type Question = (typeof ExecutorServiceService)['findNeededValues' | 'listDiscardedValues']
  async function ask<Req, Res>(
    { path, requestSerialize, responseDeserialize }: Question,
    request: Req,
  ): Promise<Res> {
    const metadata = await metadataOf(options)
    const deadline = Date.now() + DEADLINE_MS
    return new Promise((resolve, reject) => {
      client.makeUnaryRequest<Req, Res>(
        path,
        requestSerialize as (message: Req) => Buffer,
        responseDeserialize as (bytes: Buffer) => Res,
        request,
        metadata,
        { deadline },
        (cause, answer) => {
          if (cause === null) resolve(answer as Res)
          else reject(new Error(cannotAsk(address, cause.details), { cause }))
        },
      )
    })
  }

  const { findNeededValues, listDiscardedValues } = ExecutorServiceService
  type Needed = ReturnType<(typeof findNeededValues)['responseDeserialize']>
  type Discarded = ReturnType<(typeof listDiscardedValues)['responseDeserialize']>
  return {
    async needed(addresses) {
      return new Set((await ask<object, Needed>(findNeededValues, { addresses })).needed)
    },
    async discarded(done, limit) {
      const request = { done: [...done], pageSize: limit }
      return (await ask<object, Discarded>(listDiscardedValues, request)).values
    },
    [Symbol.dispose]: () => client.close(),
  }
}

function cannotAsk(address: string, problem: string): string {
  return (
    `the scheduler at ${address} does not say which values jobs need, so those of removed jobs stay: ${problem} ` +
    '(OFFSTAGE_SCHEDULER, and OFFSTAGE_TOKEN_FILE for a token with the role service)'
  )
}

async function metadataOf({ token, tokenFile }: AskOptions): Promise<Metadata> {
  const metadata = new Metadata()
  const bearer = tokenFile === undefined ? token : (await readFile(tokenFile, 'utf8')).trim()
  if (bearer !== undefined) metadata.set('authorization', `Bearer ${bearer}`)
  return metadata
}
