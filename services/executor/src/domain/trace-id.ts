/** The trace id within a W3C `traceparent`; empty when there is none. */
export function traceIdFromTraceparent(traceparent: string | undefined): string {
  return /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}/.exec(traceparent ?? '')?.[1] ?? ''
}
