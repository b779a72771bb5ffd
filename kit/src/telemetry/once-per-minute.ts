import { LRUCache } from 'lru-cache'

const EVERY_MS = 60_000
const KEYS_MAX = 1_000

/** For lines that others can cause by the thousand: of each key one a minute is told, with how many more there were since the last. */
export function oncePerMinute<More extends unknown[]>(
  tell: (key: string, more: number, ...of: More) => void,
  now = () => performance.now(),
): (key: string, ...of: More) => void {
  const told = new LRUCache<string, { atMs: number; more: number }>({ max: KEYS_MAX })
  return (key, ...of) => {
    const last = told.get(key)
    const nowMs = now()
    if (last !== undefined && nowMs - last.atMs < EVERY_MS) {
      last.more += 1
      return
    }
    told.set(key, { atMs: nowMs, more: 0 })
    tell(key, last?.more ?? 0, ...of)
  }
}
