import { hostsOfTarget } from './target-hosts.ts'

/** Whether a host is this machine, and nothing but this machine. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}

/** Whether all that a gRPC target names is on this machine. */
export function isLoopbackTarget(target: string): boolean {
  return hostsOfTarget(target).every(isLoopback)
}
