import { StorageServiceClient } from '@offstage/proto/storage'
import type { Offstage } from '@offstage/sdk/client'
import { type Channel, createChannel } from '@offstage/sdk/grpc'
import type { AttemptOrder } from '../domain/attempt.ts'
import { Values } from './values.ts'

export type JobClient = Offstage

/** Where attempts get their clients from: one set of connections per thread, made when first used. */
export class ClientSource {
  readonly #addresses: { readonly scheduler: string; readonly storage: string }
  #storage: { readonly channel: Channel; readonly client: StorageServiceClient } | undefined

  constructor(addresses: { readonly scheduler: string; readonly storage: string }) {
    this.#addresses = addresses
  }

  /** Temp storage in the name of the attempt's owner. */
  values(order: AttemptOrder, signal: AbortSignal): Values {
    this.#storage ??= this.#connectStorage()
    const { channel, client } = this.#storage
    return new Values(client, order, { signal, target: channel })
  }

  forJob(_order: AttemptOrder, _onWaiting: (waiting: boolean) => void): Offstage {
    throw new Error('later')
  }

  #connectStorage() {
    const channel = createChannel(this.#addresses.storage, {
      service: 'the storage service',
      variable: 'OFFSTAGE_STORAGE',
    })
    return { channel, client: channel.client(StorageServiceClient) }
  }
}
