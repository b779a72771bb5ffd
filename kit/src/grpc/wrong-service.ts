/**
 * The services of Offstage have an address each, and one is easily given for another. A server answers calls that are
 * meant for its siblings by saying who it is and who was meant, to callers in any language.
 */
import type { Server, ServiceDefinition, UntypedServiceImplementation } from '@grpc/grpc-js'
import { ExecutorControlServiceService, ExecutorServiceService } from '@offstage/proto/executor'
import {
  JobServiceService,
  NamespaceServiceService,
  ScheduleServiceService,
} from '@offstage/proto/jobs'
import { ExternalScalerService } from '@offstage/proto/scaling'
import { StorageServiceService } from '@offstage/proto/storage'
import { nameOfService } from './bind-services.ts'
import { Refusal } from './refusal.ts'
import { statusFromError } from './status-from-error.ts'
import { withUnreadable } from './unreadable.ts'

interface Home {
  readonly name: string
  readonly definitions: readonly ServiceDefinition[]
}

const HOMES: readonly Home[] = [
  {
    name: 'the scheduler',
    definitions: [
      JobServiceService,
      ScheduleServiceService,
      NamespaceServiceService,
      ExecutorServiceService,
      ExternalScalerService,
    ],
  },
  { name: 'the storage service', definitions: [StorageServiceService] },
  { name: 'an executor', definitions: [ExecutorControlServiceService] },
]

/** Refuses the services of the siblings of the server that serves `names`; does nothing on a server that is none of ours. */
export function refuseSiblings(server: Server, names: readonly string[]): void {
  const serves = (definition: ServiceDefinition) => names.includes(nameOfService(definition))
  const home = HOMES.find(({ definitions }) => definitions.some(serves))
  if (home === undefined) return
  for (const sibling of HOMES) {
    if (sibling === home) continue
    for (const definition of sibling.definitions) {
      if (serves(definition)) continue
      server.addService(withUnreadable(definition), refusing(definition, home.name, sibling.name))
    }
  }
}

function refusing(
  definition: ServiceDefinition,
  answered: string,
  meant: string,
): UntypedServiceImplementation {
  const message = `this is ${answered}; ${nameOfService(definition)} is served by ${meant}`
  const refusal = new Refusal({ reason: 'WRONG_SERVICE', message, metadata: { answered, meant } })
  const fault = () => statusFromError(refusal, () => {})
  const answer = (_call: unknown, callback: (error: object) => void) => callback(fault())
  const stream = (call: { emit(event: 'error', fault: object): boolean }) =>
    void call.emit('error', fault())
  const handlers = Object.entries(definition).map(([name, { responseStream }]) => [
    name,
    responseStream ? stream : answer,
  ])
  return Object.fromEntries(handlers)
}
