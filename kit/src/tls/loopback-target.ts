import { hostsOfTarget } from '@offstage/proto/target-hosts'
import { isLoopback } from '../auth/mod.ts'

/** Whether all that a gRPC target names is on this machine. */
export function isLoopbackTarget(target: string): boolean {
  return hostsOfTarget(target).every(isLoopback)
}
