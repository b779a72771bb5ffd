/** What the four call shapes share: who calls, outcome, and the binding of handlers to a server. */
import type { sendUnaryData } from '@grpc/grpc-js'
import { SpanKind, trace } from '@opentelemetry/api'
import type { Right } from '../auth/mod.ts'
import { contextFromTraceparent, recordException, traced, tracingActive } from '../telemetry/mod.ts'
import { ServerCall, type SurfaceCall } from './call-context.ts'
import type { OpenKind } from './call-limits.ts'
import type { Edge } from './edge.ts'
import { Refusal } from './refusal.ts'
import { resetLater } from './slow-readers.ts'
import { type FaultStatus, statusFromError } from './status-from-error.ts'

export type CallShape = 'unary' | 'serverStream' | 'clientStream' | 'bidiStream'

// biome-ignore lint/suspicious/noExplicitAny: variance; the message types are checked in the shapes
type Handler = (...args: any[]) => void

interface Binding {
  readonly shape: CallShape
  readonly right: Right
  bind(edge: Edge): Handler
}

const bindings = new WeakMap<object, Binding>()

declare const guarded: unique symbol

/** A handler that says which right its callers need: only the four call shapes make one. */
export type Guarded<H> = H & { readonly [guarded]: Right }

/** An implementation in which every RPC says so; one that does not is none. */
export type GuardedService<S> = { readonly [K in keyof S]: Guarded<S[K]> }

/**
 * A handler that works once a server has bound it to its edge. The returned function stands for it
 * in an implementation object; called directly it throws, so no call can bypass admission.
 */
export function bindable<H extends Handler>(
  shape: CallShape,
  right: Right,
  bind: (edge: Edge) => H,
): Guarded<H> {
  const placeholder = (): never => {
    throw new Error('this handler must be served by createGrpcServer')
  }
  bindings.set(placeholder, { shape, right, bind })
  return placeholder as Handler as Guarded<H>
}

/** How a handler made by {@link bindable} is bound; undefined for any other value. */
export function bindingOf(handler: unknown): Binding | undefined {
  return typeof handler === 'function' ? bindings.get(handler) : undefined
}

/** Counts the call as its caller's, who has been let in by `admission`; throws where they have too many. */
function enter(context: ServerCall, right: Right, kind: OpenKind): void {
  const { actor } = context.incoming
  if (actor === undefined) throw new Error('a call has come past the admission')
  // Of executors' streams there is a limit of its own.
  if (right !== 'executors.attach') context.enter(actor.user, kind)
}

/** The status of a call whose handler threw. */
export function faultOf(edge: Edge, context: ServerCall, error: unknown): FaultStatus {
  const cause = isAbortError(error) ? (context.aborted ?? error) : error
  const span = trace.getActiveSpan()
  const fault = statusFromError(cause, (unknown) => {
    edge.log.error({ err: unknown, method: context.path }, 'a call failed unexpectedly')
    if (span !== undefined) recordException(span, unknown)
  })
  span?.setAttribute('rpc.grpc.status_code', fault.code)
  return fault
}

/** Serves a call that is answered with one message. */
export async function answer<Res>(
  edge: Edge,
  right: Right,
  call: SurfaceCall,
  callback: sendUnaryData<Res>,
  work: (context: ServerCall) => Promise<Res> | Res,
  kind: OpenKind = 'calls',
): Promise<void> {
  const context = new ServerCall(edge, call)
  try {
    enter(context, right, kind)
    const result = work(context)
    callback(null, result instanceof Promise ? await result : result)
  } catch (error) {
    callback(faultOf(edge, context, error))
  } finally {
    context.finish()
  }
}

interface AnswerStream extends SurfaceCall {
  end(): unknown
  emit(event: 'error', fault: FaultStatus): boolean
}

/** Serves a call that is answered with a stream. One that stands goes on for as long as its caller may have it. */
export async function conduct(
  edge: Edge,
  right: Right,
  call: AnswerStream,
  work: (context: ServerCall) => Promise<void>,
  stands = true,
): Promise<void> {
  const context = new ServerCall(edge, call)
  let leave: (() => void) | undefined
  try {
    enter(context, right, 'streams')
    if (stands) leave = edge.standing.watch(context, right)
    await work(context)
    call.end()
  } catch (error) {
    // grpc-js turns the event into the status of the call; it does not destroy the stream.
    call.emit('error', faultOf(edge, context, error))
    if (error instanceof Refusal && error.reason === 'SLOW_READER') {
      resetLater(context.incoming.stream)
    }
  } finally {
    leave?.()
    context.finish()
  }
}

/** Runs the call inside a span that continues the caller's trace, while telemetry is on. */
export function inSpan(call: SurfaceCall, work: () => Promise<void>): void {
  if (!tracingActive()) {
    void work()
    return
  }
  const traceparent = textOf(call, 'traceparent')
  const parent = contextFromTraceparent(traceparent, textOf(call, 'tracestate'))
  const attributes = { 'rpc.system': 'grpc' }
  void traced(call.getPath().slice(1), { parent, kind: SpanKind.SERVER, attributes }, work)
}

function textOf(call: SurfaceCall, key: string): string | undefined {
  return call.metadata.get(key)[0]?.toString()
}

function isAbortError(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError'
}
