/** One Attach call on a connection of its own, so that the next call may reach another replica. */

import { Metadata } from '@grpc/grpc-js'
import {
  type AttachRequest,
  type AttachResponse,
  ExecutorServiceClient,
} from '@offstage/proto/executor'
import { type ChannelTls, createSchedulerChannel, openBidi } from '@offstage/sdk/grpc'

export interface AttachTarget {
  /** `host:port` of the scheduler. */
  readonly address: string
  /** Sent as bearer token; empty or absent in development. */
  readonly token?: string
  /** Default: plain text. */
  readonly tls?: ChannelTls
}

export interface AttachStream {
  /** False: wait for `drained` before the next. Does nothing once the call is over. */
  send(frame: AttachRequest): boolean
  drained(): Promise<void>
  /** To be iterated once; a failure of the call throws an OffstageError from it. */
  readonly responses: AsyncIterable<AttachResponse>
  /** Says that no more will come; the responses go on until the scheduler ends the call too. */
  end(): void
  /** Drops the call and its connection; the responses end. */
  close(): void
}

export type OpenAttachStream = () => AttachStream

export function attachStreamOpener(target: AttachTarget): OpenAttachStream {
  return () => {
    const channel = createSchedulerChannel(target.address, { tls: target.tls })
    const client = channel.client(ExecutorServiceClient)
    const metadata = new Metadata()
    if (target.token) metadata.set('authorization', `Bearer ${target.token}`)
    const abort = new AbortController()
    const call = openBidi<AttachRequest, AttachResponse>(client.attach.bind(client), {
      metadata,
      signal: abort.signal,
      target: channel,
    })
    return {
      send: call.send,
      drained: call.drained,
      responses: call.responses,
      end: call.end,
      close: () => {
        abort.abort(new Error('the executor closed the stream'))
        channel.close()
      },
    }
  }
}
