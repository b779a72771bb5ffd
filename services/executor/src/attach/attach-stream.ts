/** One Attach call on a connection of its own, so that the next call may reach another replica. */

import type { Metadata } from '@grpc/grpc-js'
import {
  type AttachRequest,
  type AttachResponse,
  ExecutorServiceClient,
} from '@offstage/proto/executor'
import { type Credential, isTokenRefused } from '@offstage/sdk/client'
import { type ChannelTls, createSchedulerChannel, openBidi } from '@offstage/sdk/grpc'

export interface AttachTarget {
  /** `host:port` of the scheduler. */
  readonly address: string
  /** Who attaches; nothing in it in development. */
  readonly credential: Credential
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
    const metadata = target.credential.metadata()
    return metadata instanceof Promise
      ? openLater(metadata.then((known) => openWith(target, known)))
      : openWith(target, metadata)
  }
}

function openWith({ address, tls, credential }: AttachTarget, metadata: Metadata): AttachStream {
  const channel = createSchedulerChannel(address, { tls })
  const client = channel.client(ExecutorServiceClient)
  const abort = new AbortController()
  const call = openBidi<AttachRequest, AttachResponse>(client.attach.bind(client), {
    metadata,
    signal: abort.signal,
    target: channel,
  })
  async function* responses() {
    try {
      yield* call.responses
    } catch (error) {
      // Whether there is another one shows when the next stream is opened.
      if (isTokenRefused(error)) await credential.afterRefusal(metadata).catch(() => undefined)
      throw error
    }
  }
  return {
    send: call.send,
    drained: call.drained,
    responses: responses(),
    end: call.end,
    close: () => {
      abort.abort(new Error('the executor closed the stream'))
      channel.close()
    },
  }
}

/** A stream whose token is still to be had; what is sent meanwhile goes first. */
function openLater(opening: Promise<AttachStream>): AttachStream {
  let closed = false
  const opened = opening.then((stream) => {
    if (closed) stream.close()
    return stream
  })
  // The responses tell of it.
  const whenOpen = (act: (stream: AttachStream) => unknown) => opened.then(act).catch(() => {})
  async function* responses() {
    yield* (await opened).responses
  }
  return {
    send(frame) {
      void whenOpen((stream) => stream.send(frame))
      return false
    },
    drained: async () => {
      await whenOpen((stream) => stream.drained())
    },
    responses: responses(),
    end: () => void whenOpen((stream) => stream.end()),
    close() {
      closed = true
      void whenOpen((stream) => stream.close())
    },
  }
}
