/** Node shows the first of two `authorization` headers and drops the other. */
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import type { Authenticate } from '../auth/mod.ts'
import { serveEcho } from './echo-fixture.ts'
import { openRaw, rawHeadersOf } from './raw-http2-fixture.ts'

test('who sends two tokens is seen to have sent two', async () => {
  const seen: number[] = []
  const authenticate: Authenticate = (metadata) => {
    seen.push(metadata.get('authorization').length)
    return { user: 'ann', roles: ['admin'], namespaces: 'all' }
  }
  await using echo = await serveEcho({}, { authenticate })
  using client = await openRaw(echo.server.address)
  for (const tokens of [[], ['a'], ['a', 'b'], ['authorization', 'a']]) {
    const count = seen.length + 1
    const entries = tokens.map((token) => ['authorization', token] as const)
    client.headers(rawHeadersOf('/offstage.test.Echo/One', ...entries), true)
    await until(() => seen.length === count, { what: 'the call' })
  }
  expect(seen).toEqual([0, 1, 2, 2])
})
