import type { Bus } from '@offstage/kit/bus'
import { currentTraceparent } from '@offstage/kit/telemetry'
import type { Hints } from './ports/hints.ts'

/**
 * Hints as `offstage.v1.<namespace>.values.<event>`, event being reserved, put, deleted or expired;
 * payload `{"address": …}`, trace context in the headers. The address is all there is: whoever may
 * read the value asks for it.
 */
export function createHints(bus: Bus): Hints {
  return {
    value(event, { namespace, address }) {
      const traceparent = currentTraceparent()
      const headers = traceparent === undefined ? undefined : { traceparent }
      const subject = `offstage.v1.${namespace}.values.${event}`
      bus.publish(subject, JSON.stringify({ address }), headers)
    },
  }
}
