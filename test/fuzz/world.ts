import { ExecutorControlServiceService } from '@offstage/proto/executor'
import {
  CreateLeaseRequest,
  JobServiceService,
  NamespaceServiceService,
} from '@offstage/proto/jobs'
import { PutValueHeader, StorageServiceService } from '@offstage/proto/storage'
import type { Offstage } from '@offstage/sdk'
import { type AnyRpc, callAnyRpc } from '../cluster/any-rpc.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { double, steps } from '../cluster/jobs.ts'
import { callerHeaders } from './call.ts'
import type { World } from './values.ts'

/** Some of everything that can be named, and that is there. */
export async function makeWorld(cluster: Cluster, offstage: Offstage): Promise<World> {
  const done = await offstage.startJob(double, { n: 1 })
  await done.waitForCompletion()
  const long = await offstage.startJob(steps, { count: 1_000, everyMs: 1_000 })
  const values = await Promise.all([1, 2].map((n) => offstage.storage.put({ n })))
  const scheduler = cluster.schedulers[0]?.address ?? ''
  const executor = cluster.executors[0]?.address ?? ''
  const ask = async (address: string, definition: AnyRpc['definition'], request: object = {}) => {
    const rpc = { address, definition }
    const { outcome, text, messages } = await callAnyRpc(rpc, request, callerHeaders())
    if (outcome !== 'OK') throw new Error(`${definition.path}: ${text}`)
    return messages[0]
  }
  const { describeExecutor } = ExecutorControlServiceService
  const { openScope, startUpload, listValues } = StorageServiceService
  const [session, scope, upload, granted, jobsPage, valuesPage, methodsPage] = await Promise.all([
    ask(executor, describeExecutor),
    ask(cluster.storage, openScope),
    ask(cluster.storage, startUpload, { header: PutValueHeader.fromPartial({}) }),
    ask(scheduler, NamespaceServiceService.createLease, CreateLeaseRequest.fromPartial({})),
    ask(scheduler, JobServiceService.listJobs, { pageSize: 1 }),
    ask(cluster.storage, listValues, { pageSize: 1 }),
    ask(scheduler, NamespaceServiceService.listMethods, { pageSize: 1 }),
  ])
  return {
    methods: ['cluster.double', 'cluster.steps', 'cluster.page', 'fuzz.method'],
    jobs: [done.id, long.id],
    sessions: [session.sessionId],
    addresses: values.map(({ address }) => address),
    scopes: [scope.scope],
    uploads: [upload.uploadId],
    leases: [granted.lease.leaseId],
    pageTokens: [jobsPage, valuesPage, methodsPage].map(({ nextPageToken }) => nextPageToken),
  }
}
