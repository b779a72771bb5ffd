/** Services whose shape is settled and whose work is still to come: each call says so. */
import type { GuardedService } from '@offstage/kit/grpc'
import type { NamespaceServiceServer } from '@offstage/proto/jobs'
import { unimplemented } from './unimplemented.ts'

/** Of the namespace service; the others are in namespace-service.ts. */
export const comingNamespaceCalls = {
  enterExclusiveMode: unimplemented('namespaces.administer', 'NamespaceService.EnterExclusiveMode'),
  leaveExclusiveMode: unimplemented('namespaces.administer', 'NamespaceService.LeaveExclusiveMode'),
} satisfies Partial<GuardedService<NamespaceServiceServer>>
