import { isLoopback } from '../auth/mod.ts'

/** Whether all that a gRPC target names is on this machine: `host:port`, `ipv4:a:1,b:2`, `dns:///host:port`, `unix:…`. */
export function isLoopbackTarget(target: string): boolean {
  if (/^unix(-abstract)?:/.test(target)) return true
  const places = target.replace(/^(dns|ipv4|ipv6):(\/\/[^/]*\/)?/, '')
  return places.split(',').every((place) => isLoopback(hostOf(place.trim())))
}

function hostOf(place: string): string {
  const [, bracketed] = /^\[(.+)\](:\d+)?$/.exec(place) ?? []
  return bracketed ?? place.replace(/:\d+$/, '')
}
