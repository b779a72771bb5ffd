import type {
  MethodDefinition,
  ServiceDefinition,
  UntypedServiceImplementation,
} from '@grpc/grpc-js'
import type { Right } from '../auth/mod.ts'
import { bindingOf, type CallShape, type GuardedService } from './call-shapes.ts'
import type { Edge } from './edge.ts'

/** The handlers of a service, whichever it is. */
export type Implementation = GuardedService<UntypedServiceImplementation>

export interface ServedService {
  readonly definition: ServiceDefinition
  /** A handler for each method, made by unary, serverStream, clientStream or bidiStream. */
  readonly implementation: Implementation
}

/** The full name, e.g. `offstage.jobs.v1.JobService`. */
export function nameOfService(definition: ServiceDefinition): string {
  const [method] = Object.values(definition)
  if (method === undefined) throw new Error('a service without methods cannot be served')
  return method.path.slice(1, method.path.lastIndexOf('/'))
}

/**
 * The implementation with every handler bound to the server. A missing handler, one of the wrong
 * shape and one that would bypass admission are errors here, not at the first call.
 */
export function bindService(service: ServedService, edge: Edge): UntypedServiceImplementation {
  const bound: UntypedServiceImplementation = {}
  for (const [name, method] of Object.entries(service.definition)) {
    const binding = bindingOf(service.implementation[name])
    const shape = shapeOf(method)
    if (binding === undefined) throw new Error(`${method.path} has no handler made by ${shape}()`)
    if (binding.shape !== shape) {
      throw new Error(`${method.path} is served by ${binding.shape}() and needs ${shape}()`)
    }
    bound[name] = binding.bind(edge)
  }
  return bound
}

/** Which right the callers of each path need. */
export function rightsOf(services: readonly ServedService[]): ReadonlyMap<string, Right> {
  const rights = new Map<string, Right>()
  for (const { definition, implementation } of services) {
    for (const [name, { path }] of Object.entries(definition)) {
      const binding = bindingOf(implementation[name])
      if (binding !== undefined) rights.set(path, binding.right)
    }
  }
  return rights
}

function shapeOf(method: MethodDefinition<unknown, unknown>): CallShape {
  if (method.requestStream) return method.responseStream ? 'bidiStream' : 'clientStream'
  return method.responseStream ? 'serverStream' : 'unary'
}
