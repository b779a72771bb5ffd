/**
 * The way of handlers in a process to services that ask for client certificates. What the executor shows those is not for handlers, so
 * they call here, on sockets that only the user of the executor can reach, and their calls go on by connections with the executor's
 * certificate.
 *
 * 1. What goes on brings a token, so that the certificate says nothing of who calls; and none but that of an attempt.
 * 2. Only the services that clients call are here: nobody attaches by it.
 * 3. Of connections and calls there are so many at a time: the next call begins when one has ended.
 */
import { randomBytes } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
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
  /** Undefined: they are called in plain text. */
  readonly tls: ChannelTls | undefined
  /** Where its sockets are; it is made and removed. */
  readonly folder: string
}

/** A client has one to each service. */
export const CONNECTIONS_MAX = 8
/** On one connection; clients keep back what is beyond that. */
export const CALLS_MAX = 1_000
const HEALTH = { check: { path: '/grpc.health.v1.Health/Check' } }
const OF_SCHEDULER = [HEALTH, JobServiceService, NamespaceServiceService, ScheduleServiceService]
const OF_STORAGE = [HEALTH, StorageServiceService]
/** A message of a handler's is held whole here: no more than the services take. */
const SERVER_OPTIONS = {
  'grpc.max_receive_message_length': 16 * 1024 * 1024,
  'grpc.max_send_message_length': -1,
  'grpc.max_concurrent_streams': CALLS_MAX,
}

type Paths = Readonly<Record<string, { readonly path: string }>>

/** For the sockets of one. Short: the name of a socket has a hundred characters at most. */
export function newFolder(): string {
  return join(tmpdir(), `offstage-${randomBytes(9).toString('base64url')}`)
}

/** What handlers dial in place of the services' addresses. */
export function placesIn(folder: string): { readonly scheduler: string; readonly storage: string } {
  return {
    scheduler: `unix:${join(folder, 'scheduler')}`,
    storage: `unix:${join(folder, 'storage')}`,
  }
}

export class Relay {
  readonly #options: RelayOptions
  readonly #resources = new AsyncDisposableStack()

  constructor(options: RelayOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    const { scheduler, storage, tls, folder } = this.#options
    await mkdir(folder, { mode: 0o700, recursive: true })
    this.#resources.defer(() => rm(folder, { recursive: true, force: true }))
    const toScheduler = this.#resources.use(createSchedulerChannel(scheduler, { tls }))
    const toStorage = this.#resources.use(createChannel(storage, { tls }))
    await this.#listen(join(folder, 'scheduler'), toScheduler, OF_SCHEDULER)
    await this.#listen(join(folder, 'storage'), toStorage, OF_STORAGE)
  }

  stop(): Promise<void> {
    return this.#resources.disposeAsync()
  }

  async #listen(path: string, channel: Channel, services: readonly Paths[]): Promise<void> {
    const server = new Server(SERVER_OPTIONS)
    this.#resources.defer(() => server.forceShutdown())
    const client = channel.client(Client)
    for (const service of services) server.addService(...relayed(service, client))
    const injector = server.createConnectionInjector(ServerCredentials.createInsecure())
    const listener = createServer((socket) => injector.injectConnection(socket))
    listener.maxConnections = CONNECTIONS_MAX
    this.#resources.defer(() => void listener.close())
    await new Promise<void>((resolve, reject) => {
      listener.once('error', reject).listen(path, resolve)
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
