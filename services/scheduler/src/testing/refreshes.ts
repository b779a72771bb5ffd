import { credentials, Metadata, type ServiceError } from '@grpc/grpc-js'
import * as proto from '@offstage/proto/jobs'
import { until } from '@offstage/testkit'
import { ask } from './ask.ts'
import { complete, type Draft } from './draft.ts'
import { clientOptions } from './faults/faults.ts'

export type ScopeDraft = Draft<proto.RefreshScope>

/** A WatchRefreshes call, and what it has told. */
export interface WatchedRefreshes extends Disposable {
  readonly answers: proto.WatchRefreshesResponse[]
  /** Set once it has failed. */
  readonly error: ServiceError | undefined
  /** Resolves when it has told this epoch. */
  reached(epoch: number): Promise<void>
}

/** Refreshes of reusable values by plain gRPC; as `dev`, in the namespace `default`, where nothing else is said. */
export function connectRefreshes(address: string, caller = 'dev') {
  const raw = new proto.NamespaceServiceClient(
    address,
    credentials.createInsecure(),
    clientOptions(),
  )
  return {
    async refresh(scopes: readonly ScopeDraft[], namespace = ''): Promise<number> {
      const request = { namespace, scopes }
      const { epoch } = await ask<proto.RefreshValuesRequest, proto.RefreshValuesResponse>(
        raw,
        raw.refreshValues,
        proto.RefreshValuesRequest,
        request,
        caller,
      )
      return Number(epoch)
    },
    list(after = 0, namespace = ''): Promise<proto.ListRefreshesResponse> {
      const request = { namespace, afterEpoch: BigInt(after) }
      return ask<proto.ListRefreshesRequest, proto.ListRefreshesResponse>(
        raw,
        raw.listRefreshes,
        proto.ListRefreshesRequest,
        request,
        caller,
      )
    },
    watch(after = 0, namespace = ''): WatchedRefreshes {
      const metadata = new Metadata()
      metadata.set('offstage-user', caller)
      const request = complete<proto.WatchRefreshesRequest>(proto.WatchRefreshesRequest, {
        namespace,
        afterEpoch: BigInt(after),
      })
      const call = raw.watchRefreshes(request, metadata)
      const answers: proto.WatchRefreshesResponse[] = []
      let error: ServiceError | undefined
      call.on('data', (answer) => answers.push(answer))
      call.on('error', (failure: ServiceError) => {
        error = failure
      })
      return {
        answers,
        get error() {
          return error
        },
        async reached(epoch) {
          await until(
            () => error !== undefined || answers.some((told) => Number(told.epoch) >= epoch),
          )
          if (error !== undefined) throw error
        },
        [Symbol.dispose]: () => call.cancel(),
      }
    },
    [Symbol.dispose]: () => raw.close(),
  }
}

/** The scopes an answer tells, as they were asked for. */
export function scopesOf({ refreshes }: Pick<proto.ListRefreshesResponse, 'refreshes'>) {
  return refreshes.map(({ scope }) =>
    Object.fromEntries(Object.entries(scope ?? {}).filter(([, text]) => text)),
  )
}
