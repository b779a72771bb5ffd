import { Metadata } from '@grpc/grpc-js'
import {
  type Context,
  type ContextManager,
  context,
  propagation,
  ROOT_CONTEXT,
  type TextMapPropagator,
  trace,
} from '@opentelemetry/api'
import { afterEach, expect, test } from 'vitest'
import { metadataOf } from './call-options.ts'
import { createChannel } from './channel.ts'

afterEach(() => {
  context.disable()
  propagation.disable()
})

/** The least an application's tracing consists of: one active span and a propagator. */
function trackSpan(traceId: string): void {
  const span = { traceId, spanId: '00f067aa0ba902b7', traceFlags: 1 }
  const active: Context = trace.setSpanContext(ROOT_CONTEXT, span)
  const manager: ContextManager = {
    active: () => active,
    with: (_context, work, self, ...args) => work.apply(self as never, args),
    bind: (_context, target) => target,
    enable: () => manager,
    disable: () => manager,
  }
  const propagator: TextMapPropagator = {
    fields: () => ['traceparent'],
    extract: (from) => from,
    inject: (from, carrier, setter) =>
      setter.set(carrier, 'traceparent', trace.getSpanContext(from)?.traceId ?? ''),
  }
  context.setGlobalContextManager(manager)
  propagation.setGlobalPropagator(propagator)
}

test('the trace of the caller goes along, and the metadata given is left as it is', () => {
  trackSpan('4bf92f3577b34da6a3ce929d0e0e4736')
  const metadata = new Metadata()
  metadata.set('offstage-user', 'ann')
  const sent = metadataOf({ metadata })
  expect(sent.getMap()).toEqual({
    'offstage-user': 'ann',
    traceparent: '4bf92f3577b34da6a3ce929d0e0e4736',
  })
  expect(metadata.getMap()).toEqual({ 'offstage-user': 'ann' })
})

test('without tracing nothing is added or copied', () => {
  const metadata = new Metadata()
  expect(metadataOf({ metadata })).toBe(metadata)
  expect(metadataOf({}).getMap()).toEqual({})
})

test('a URL in place of an address is refused with the form expected', () => {
  expect(() => createChannel('http://127.0.0.1:7701')).toThrow('is host:port, not a URL')
})
