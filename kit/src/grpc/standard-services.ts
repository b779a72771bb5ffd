/** The services every server has: health for probes and balancers, reflection for tools. */

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import {
  type Server,
  type ServiceDefinition,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js'
import {
  loadFileDescriptorSetFromBuffer,
  loadSync,
  type PackageDefinition,
} from '@grpc/proto-loader'
import { ReflectionService } from '@grpc/reflection'
import { HealthImplementation, protoPath as healthProtoPath } from 'grpc-health-check'

const HEALTH = 'grpc.health.v1.Health'

export interface StandardServices {
  /** Sets the health of the server as a whole and of each of its services. */
  setServing(serving: boolean): void
  /** Ends the streams of those who watch health or browse: they would hold up a stop. */
  endStreams(): void
}

/** Adds health, and reflection v1 and v1alpha, for the services named. */
export function addStandardServices(server: Server, names: readonly string[]): StandardServices {
  const streams = new Set<OpenStream>()
  const target = {
    addService: (definition: unknown, implementation: UntypedServiceImplementation) =>
      server.addService(definition as ServiceDefinition, tracked(implementation, streams)),
  }
  const health = new HealthImplementation()
  const setServing = (serving: boolean) => {
    for (const name of ['', ...names]) {
      health.setStatus(name, serving ? 'SERVING' : 'NOT_SERVING')
    }
  }
  setServing(false)
  health.addToServer(target)
  const services = [...names, HEALTH]
  new ReflectionService(describeAll(), { services }).addToServer(target)
  return {
    setServing,
    endStreams: () => {
      const fault = { code: status.UNAVAILABLE, details: 'the server is stopping' }
      for (const stream of streams) stream.emit('error', fault)
    },
  }
}

interface OpenStream {
  emit(event: 'error', fault: { code: status; details: string }): boolean
  once(event: 'cancelled', listener: () => void): unknown
}

/** Notes each stream from its beginning to its end. */
function tracked(
  implementation: UntypedServiceImplementation,
  streams: Set<OpenStream>,
): UntypedServiceImplementation {
  const wrapped: UntypedServiceImplementation = {}
  for (const [method, handler] of Object.entries(implementation)) {
    // biome-ignore lint/suspicious/noExplicitAny: grpc-js types handlers of unknown shape this way
    wrapped[method] = (call: any, callback?: any) => {
      if (callback === undefined) {
        streams.add(call)
        // grpc-js emits it at the end of every call, however it ended.
        call.once('cancelled', () => streams.delete(call))
      }
      ;(handler as (call: unknown, callback: unknown) => void)(call, callback)
    }
  }
  return wrapped
}

let described: PackageDefinition | undefined

function describeAll(): PackageDefinition {
  if (described === undefined) {
    const file = createRequire(import.meta.url).resolve('@offstage/proto/descriptors')
    const health = loadSync(healthProtoPath, { keepCase: true })
    described = { ...health, ...loadFileDescriptorSetFromBuffer(readFileSync(file)) }
  }
  return described
}
