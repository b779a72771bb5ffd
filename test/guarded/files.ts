/** Which of the end-to-end tests run a second time, against services that ask for certificates and tokens. */
import { readdirSync } from 'node:fs'

/** What a second run of them would show nothing by. */
export const OPEN_ONLY: Readonly<Record<string, string>> = {
  'attempt-tokens': 'has identity on by itself',
  'client-certificates': 'has identity and certificates of its own',
  'declared-schedules': 'has a scheduler within its process, to which everybody is believed',
  foreground:
    'attaches as its users, as whom nobody attaches there; attempt-tokens does it with identity on',
  'frozen-migrations': 'needs no services',
  'identity-start': 'is about how identity is set',
  'mutual-tls': 'has certificates of its own, which it replaces',
  namespaces: 'has identity on by itself',
  'odd-connections': 'has ports with and without TLS by itself',
  probes: 'has certificates of its own',
  'request-fields': 'calls services within its process as everybody is believed',
  'rights-of-others': 'has identity on by itself',
  rights: 'compares both kinds by itself',
  'schedules-killed': 'has clocks an hour off, by which no certificate of the tests is valid',
  secrets: 'has identity and certificates of its own',
  'secrets-in-settings': 'is about settings that cannot be used',
  tls: 'is about TLS, without services',
  'token-refresh': 'has identity on by itself',
  'token-ends': 'has identity on by itself',
  tokens: 'has identity on by itself',
}

/** Those that `make test` runs so too, chosen by what they go through and the time they take. */
const ALWAYS = ['exactly-once-killed', 'large-values', 'pushed-waits', 'failed-children']

const folder = new URL('..', import.meta.url)

/** The names of the end-to-end tests. */
export function namesOfTests(): string[] {
  const files = readdirSync(folder).filter((file) => file.endsWith('.test.ts'))
  return files.map((file) => file.slice(0, -'.test.ts'.length))
}

/** Paths from the root, as a configuration of Vitest has them. */
export function guardedFiles({ all }: { readonly all: boolean }): string[] {
  const names = all ? namesOfTests().filter((name) => !(name in OPEN_ONLY)) : ALWAYS
  return ['test/guarded/*.test.ts', ...names.map((name) => `test/${name}.test.ts`)]
}
