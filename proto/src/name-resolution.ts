import type { ChannelOptions } from '@grpc/grpc-js'

/** grpc-js would ask for a name again after half a minute, within which all that it stood for may have been replaced. */
const RESOLVE_MS_MIN = 1_000
const IN_TURN = JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] })

/**
 * How a client finds the servers behind an address. `dns:///name:port` names several, as a headless service in Kubernetes does: they
 * are called in turn. Of any other address the first that answers is kept to.
 */
export function resolutionOptions(address: string): ChannelOptions {
  return {
    'grpc.dns_min_time_between_resolutions_ms': RESOLVE_MS_MIN,
    // What the name itself says of services, in TXT records, is not asked for.
    'grpc.service_config_disable_resolution': 1,
    ...(/^dns:/i.test(address) && { 'grpc.service_config': IN_TURN }),
  }
}
