/** The hosts that a gRPC target names: `host:port`, `ipv4:a:1,b:2`, `dns:///host:port`; none of a socket's, `unix:…`. */
export function hostsOfTarget(target: string): string[] {
  if (/^unix(-abstract)?:/.test(target)) return []
  const places = target.replace(/^(dns|ipv4|ipv6):(\/\/[^/]*\/)?/, '')
  return places.split(',').map((place) => hostOf(place.trim()))
}

function hostOf(place: string): string {
  const [, bracketed] = /^\[(.+)\](:\d+)?$/.exec(place) ?? []
  return bracketed ?? place.replace(/:\d+$/, '')
}
