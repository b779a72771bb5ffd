/**
 * The way of handlers in processes to services that ask for client certificates. What the executor shows those is not for handlers, so
 * they call here, on sockets that only the user of the executor can reach, and their calls go on by the executor's own connections.
 *
 * 1. What goes on brings a token, so that the certificate says nothing of who calls; and none but that of an attempt.
 * 2. Only the services that clients call are here: nobody attaches by it.
 */
import { randomBytes } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  Client,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  type UntypedHandleCall,
} from '@grpc/grpc-js'
import {
  JobServiceService,
  NamespaceServiceService,
  ScheduleServiceService,
} from '@offstage/proto/jobs'
import { StorageServiceService } from '@offstage/proto/storage'
import {
  type Channel,
  type ChannelTls,
  createChannel,
  createSchedulerChannel,
} from '@offstage/sdk/grpc'
import { passOn } from './pass-on.ts'

export interface RelayOptions {
  /** Address of the scheduler. */
  readonly scheduler: string
  /** Address of the storage service. */
  readonly storage: string
  readonly tls: ChannelTls
}

const HEALTH = { check: { path: '/grpc.health.v1.Health/Check' } }
const OF_SCHEDULER = [HEALTH, JobServiceService, NamespaceServiceService, ScheduleServiceService]
const OF_STORAGE = [HEALTH, StorageServiceService]
/** A message of a handler's is held whole here, in the memory of the executor: no more than the services take. */
const SERVER_OPTIONS = {
  'grpc.max_receive_message_length': 16 * 1024 * 1024,
  'grpc.max_send_message_length': -1,
}

type Paths = Readonly<Record<string, { readonly path: string }>>

export class Relay {
  /** What handlers dial in place of the services' addresses. */
  readonly places: { readonly scheduler: string; readonly storage: string }
  readonly #options: RelayOptions
  /** Short: the name of a socket has a hundred characters at most. */
  readonly #folder = join(tmpdir(), `offstage-${randomBytes(9).toString('base64url')}`)
  readonly #resources = new AsyncDisposableStack()

  constructor(options: RelayOptions) {
    this.#options = options
    const socket = (name: string) => `unix:${join(this.#folder, name)}`
    this.places = { scheduler: socket('scheduler'), storage: socket('storage') }
  }

  async start(): Promise<void> {
    const { scheduler, storage, tls } = this.#options
    await mkdir(this.#folder, { mode: 0o700 })
    this.#resources.defer(() => rm(this.#folder, { recursive: true, force: true }))
    const toScheduler = this.#resources.use(createSchedulerChannel(scheduler, { tls }))
    const toStorage = this.#resources.use(createChannel(storage, { tls }))
    await this.#listen(this.places.scheduler, toScheduler, OF_SCHEDULER)
    await this.#listen(this.places.storage, toStorage, OF_STORAGE)
  }

  stop(): Promise<void> {
    return this.#resources.disposeAsync()
  }

  async #listen(socket: string, channel: Channel, services: readonly Paths[]): Promise<void> {
    const server = new Server(SERVER_OPTIONS)
    this.#resources.defer(() => server.forceShutdown())
    const client = channel.client(Client)
    for (const service of services) server.addService(...relayed(service, client))
    await new Promise<void>((resolve, reject) => {
      const listening = (error: Error | null) => (error === null ? resolve() : reject(error))
      server.bindAsync(socket, ServerCredentials.createInsecure(), listening)
    })
  }
}

const asItIs = (message: Buffer) => message

/** On the wire a call of any shape is a stream each way. */
function relayed(
  service: Paths,
  client: Client,
): [ServiceDefinition, Record<string, UntypedHandleCall>] {
  const paths = Object.entries(service).map(([name, { path }]) => [name, path] as const)
  const shape = {
    ...{ requestStream: true, responseStream: true },
    ...{ requestSerialize: asItIs, requestDeserialize: asItIs },
    ...{ responseSerialize: asItIs, responseDeserialize: asItIs },
  } as const
  return [
    Object.fromEntries(paths.map(([name, path]) => [name, { path, ...shape }])),
    Object.fromEntries(paths.map(([name, path]) => [name, passOn(client, path)])),
  ]
}
