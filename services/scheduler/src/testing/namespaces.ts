import { credentials, Metadata } from '@grpc/grpc-js'
import * as proto from '@offstage/proto/jobs'
import { complete, type Draft } from './draft.ts'
import { clientOptions } from './faults/faults.ts'

/** Calls of the namespace service with promises; as `dev`, in the namespace `default` where none is given. */
export interface NamespaceClient extends Disposable {
  readonly raw: proto.NamespaceServiceClient
  pauseMethod(method: string, namespace?: string, cancelRunning?: boolean): Promise<unknown>
  resumeMethod(method: string, namespace?: string): Promise<unknown>
  pausePool(pool: string, namespace?: string, cancelRunning?: boolean): Promise<unknown>
  resumePool(pool: string, namespace?: string): Promise<unknown>
  pauseNamespace(namespace?: string, cancelRunning?: boolean): Promise<unknown>
  resumeNamespace(namespace?: string): Promise<unknown>
  get(namespace?: string): Promise<proto.Namespace | undefined>
  listMethods(request?: Draft<proto.ListMethodsRequest>): Promise<proto.ListMethodsResponse>
  listExecutors(): Promise<proto.ListExecutorsResponse>
}

export function connectNamespaces(address: string, user = 'dev'): NamespaceClient {
  const raw = new proto.NamespaceServiceClient(
    address,
    credentials.createInsecure(),
    clientOptions(),
  )
  const metadata = new Metadata()
  metadata.set('offstage-user', user)
  type Method<Req, Res> = (
    request: Req,
    metadata: Metadata,
    callback: (error: Error | null, response: Res) => void,
  ) => unknown
  const call = <Req, Res>(method: Method<Req, Res>, request: Req) =>
    new Promise<Res>((resolve, reject) => {
      method.call(raw, request, metadata, (error, response) =>
        error === null ? resolve(response) : reject(error),
      )
    })
  return {
    raw,
    pauseMethod: (method, namespace = '', cancelRunning = false) =>
      call(raw.pauseMethod, { namespace, method, cancelRunning }),
    resumeMethod: (method, namespace = '') => call(raw.resumeMethod, { namespace, method }),
    pausePool: (pool, namespace = '', cancelRunning = false) =>
      call(raw.pausePool, { namespace, pool, cancelRunning }),
    resumePool: (pool, namespace = '') => call(raw.resumePool, { namespace, pool }),
    pauseNamespace: (namespace = '', cancelRunning = false) =>
      call(raw.pauseNamespace, { namespace, cancelRunning }),
    resumeNamespace: (namespace = '') => call(raw.resumeNamespace, { namespace }),
    async get(namespace = '') {
      const request: proto.GetNamespaceRequest = { namespace }
      const answer = await call<typeof request, proto.GetNamespaceResponse>(
        raw.getNamespace,
        request,
      )
      return answer.namespace
    },
    listMethods: (request = {}) =>
      call(raw.listMethods, complete<proto.ListMethodsRequest>(proto.ListMethodsRequest, request)),
    listExecutors: () => call(raw.listExecutors, complete(proto.ListExecutorsRequest, {})),
    [Symbol.dispose]: () => raw.close(),
  }
}
