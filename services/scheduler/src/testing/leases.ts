/** Leases and exclusive mode by plain gRPC. */
import { type Client, credentials } from '@grpc/grpc-js'
import * as proto from '@offstage/proto/jobs'
import { ask } from './ask.ts'
import type { Draft } from './draft.ts'
import { clientOptions } from './faults/faults.ts'

/** As `dev` where nobody is named. */
export function connectLeases(address: string) {
  const raw = new proto.NamespaceServiceClient(
    address,
    credentials.createInsecure(),
    clientOptions(),
  )
  const { CreateLeaseRequest, RenewLeaseRequest, EndLeaseRequest } = proto
  const { EnterExclusiveModeRequest, LeaveExclusiveModeRequest } = proto
  const call = <Req, Res>(
    method: Parameters<typeof ask<Req, Res>>[1],
    type: { fromPartial(draft: never): Req },
    draft: Draft<NoInfer<Req>>,
    user?: string,
  ) => ask<Req, Res>(raw as Client, method, type, draft, user)
  const leaseOf = async (answer: Promise<{ lease?: proto.Lease | undefined }>) => {
    const { lease } = await answer
    if (lease === undefined) throw new Error('no lease was answered')
    return lease
  }
  return {
    raw,
    create: (asked: Draft<proto.CreateLeaseRequest> = {}, user?: string) =>
      leaseOf(call(raw.createLease, CreateLeaseRequest, asked, user)),
    renew: (leaseId: string, user?: string) =>
      leaseOf(call(raw.renewLease, RenewLeaseRequest, { leaseId }, user)),
    end: (leaseId: string, user?: string) => call(raw.endLease, EndLeaseRequest, { leaseId }, user),
    enter: (asked: Draft<proto.EnterExclusiveModeRequest>, user?: string) =>
      call<proto.EnterExclusiveModeRequest, proto.EnterExclusiveModeResponse>(
        raw.enterExclusiveMode,
        EnterExclusiveModeRequest,
        asked,
        user,
      ),
    leave: (asked: Draft<proto.LeaveExclusiveModeRequest>, user?: string) =>
      call(raw.leaveExclusiveMode, LeaveExclusiveModeRequest, asked, user),
    [Symbol.dispose]: () => raw.close(),
  }
}
