import { expect, test } from 'vitest'
import { redact } from './redact.ts'

test.for([
  ['postgres://app@db/jobs', 'postgres://app@db/jobs'],
  ['postgres://app:pw@db/jobs', 'postgres://app:***@db/jobs'],
  ['postgres://app:p@w/x@db/jobs', 'postgres://app:***@db/jobs'],
  ['postgres://db/jobs?user=app&password=pw&x=1', 'postgres://db/jobs?user=app&password=***&x=1'],
  ['nats://token@a', 'nats://***@a'],
  ['http://token@a', 'http://***@a'],
  ['nats://a:4222', 'nats://a:4222'],
  ['tls://u:p@a, tls://u:q@b', 'tls://u:***@a, tls://u:***@b'],
  ['someone@example.org', 'someone@example.org'],
  ['postgres//app:pw@db/jobs', '***@db/jobs'],
  ['app:p@w@db/jobs', '***@db/jobs'],
  ['nats:/token@a', '***@a'],
  ['token@a:7701', '***@a:7701'],
  ['-----BEGIN PRIVATE KEY-----\nabc', '***'],
  ['eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2ln', '***'],
  [`SU${'A'.repeat(56)}`, '***'],
  ['/etc/a/file', '/etc/a/file'],
] as const)('%s is shown as %s', ([text, shown]) => {
  expect(redact(text)).toBe(shown)
})
