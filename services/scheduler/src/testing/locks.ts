/** Data locks by plain gRPC. */
import { type Client, credentials, Metadata } from '@grpc/grpc-js'
import { durationFrom } from '@offstage/proto/durations'
import * as proto from '@offstage/proto/jobs'
import { ask } from './ask.ts'
import type { Draft } from './draft.ts'
import { clientOptions } from './faults/faults.ts'

type Asked = Draft<proto.AcquireLockRequest> & { readonly waitMs?: number }

export function connectLocks(address: string) {
  const raw = new proto.NamespaceServiceClient(
    address,
    credentials.createInsecure(),
    clientOptions(),
  )
  const client = raw as Client
  return {
    raw,
    /** Of several `name` is the first. */
    async acquire({ waitMs = 0, ...asked }: Asked, user?: string): Promise<proto.Lock> {
      const timeout = durationFrom(waitMs)
      const answer = await ask<proto.AcquireLockRequest, proto.AcquireLockResponse>(
        client,
        raw.acquireLock,
        proto.AcquireLockRequest,
        { timeout, ...asked } as never,
        user,
      )
      if (answer.lock === undefined) throw new Error('the answer has no lock')
      return answer.lock
    },
    /** Without its answer, to be canceled. */
    call({ waitMs = 0, ...asked }: Asked, user: string) {
      const metadata = new Metadata()
      metadata.set('offstage-user', user)
      const draft = { timeout: durationFrom(waitMs), ...asked }
      const request = proto.AcquireLockRequest.fromPartial(draft as never)
      return raw.acquireLock(request, metadata, () => {})
    },
    release: (asked: Draft<proto.ReleaseLockRequest>, user?: string) =>
      ask<proto.ReleaseLockRequest, proto.ReleaseLockResponse>(
        client,
        raw.releaseLock,
        proto.ReleaseLockRequest,
        asked,
        user,
      ),
    list: (asked: Draft<proto.ListLocksRequest> = {}, user?: string) =>
      ask<proto.ListLocksRequest, proto.ListLocksResponse>(
        client,
        raw.listLocks,
        proto.ListLocksRequest,
        asked,
        user,
      ),
    async createLease(user?: string): Promise<string> {
      const answer = await ask<proto.CreateLeaseRequest, proto.CreateLeaseResponse>(
        client,
        raw.createLease,
        proto.CreateLeaseRequest,
        {},
        user,
      )
      return answer.lease?.leaseId ?? ''
    },
    endLease: (leaseId: string, user?: string) =>
      ask<proto.EndLeaseRequest, proto.EndLeaseResponse>(
        client,
        raw.endLease,
        proto.EndLeaseRequest,
        { leaseId },
        user,
      ),
    [Symbol.dispose]: () => raw.close(),
  }
}
