/** The services every server has: health for probes and balancers, reflection for tools. */

import {
  Metadata,
  type Server,
  type ServiceDefinition,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js'
import { AUTHENTICATION_KEY } from '@offstage/proto/authentication'
import { HealthImplementation } from 'grpc-health-check'
import { addReflection } from './reflection.ts'

const HEALTH = 'grpc.health.v1.Health'

export interface StandardServices {
  /** Sets the health of the server as a whole and of each of its services. */
  setServing(serving: boolean): void
  /** Ends the streams of those who watch health or browse: they would hold up a stop. */
  endStreams(): void
}

/**
 * Adds health, and reflection v1 and v1alpha, for the services named. `authentication`: how callers are told apart, as
 * answers to health checks say it.
 */
export function addStandardServices(
  server: Server,
  names: readonly string[],
  authentication?: string,
): StandardServices {
  const streams = new Set<OpenStream>()
  const addService = (definition: unknown, implementation: object) => {
    const handlers = implementation as UntypedServiceImplementation
    server.addService(definition as ServiceDefinition, tracked(handlers, streams))
  }
  const health = new HealthImplementation()
  const setServing = (serving: boolean) => {
    for (const name of ['', ...names]) {
      health.setStatus(name, serving ? 'SERVING' : 'NOT_SERVING')
    }
  }
  setServing(false)
  health.addToServer({
    addService: (definition: unknown, implementation: UntypedServiceImplementation) =>
      addService(definition, telling(authentication, implementation)),
  })
  addReflection([...names, HEALTH], addService)
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

/** Health with a header that says how callers are told apart. */
function telling(
  authentication: string | undefined,
  { check, ...others }: UntypedServiceImplementation,
): UntypedServiceImplementation {
  if (check === undefined) throw new Error('health without a check cannot be served')
  if (authentication === undefined) return { check, ...others }
  const headers = new Metadata()
  headers.set(AUTHENTICATION_KEY, authentication)
  // biome-ignore lint/suspicious/noExplicitAny: grpc-js types handlers of unknown shape this way
  const checkTelling = (call: any, callback: any) => {
    call.sendMetadata(headers)
    ;(check as (call: unknown, callback: unknown) => void)(call, callback)
  }
  return { ...others, check: checkTelling }
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
