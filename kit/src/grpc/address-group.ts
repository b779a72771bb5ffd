import { isIPv6 } from 'node:net'

/** Of an IPv6 address that its owner can hardly change. */
const NETWORK_PARTS = 4

/** Who is counted together: an address of IPv4, or a /64 of IPv6, of which whoever has one address has all. */
export function addressGroup(address: string | undefined): string {
  if (address === undefined) return 'unknown'
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  if (mapped !== undefined) return mapped
  if (!isIPv6(address)) return address
  const [head = '', tail] = address.split('%', 1)[0]?.split('::') ?? []
  const parts = head === '' ? [] : head.split(':')
  if (tail === undefined) return `${parts.slice(0, NETWORK_PARTS).join(':')}::/64`
  const end = tail === '' ? [] : tail.split(':')
  const zeros = Array.from({ length: 8 - parts.length - end.length }, () => '0')
  return `${[...parts, ...zeros, ...end].slice(0, NETWORK_PARTS).join(':')}::/64`
}
