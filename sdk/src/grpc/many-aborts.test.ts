import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { serveEcho } from '../testing/echo-fixture.ts'
import { OffstageError } from './offstage-error.ts'
import { retrying } from './retrying.ts'
import { callUnary } from './unary.ts'

/** More than Node takes at once on one connection. */
const GIVEN_UP = 2_000

type Answer = (fault: null, answer: { readonly text: string }) => void

test('where the connection is cut because very many calls were given up on it, the others are made again', async () => {
  let begun = 0
  const held: Answer[] = []
  using server = await serveEcho({
    one: (call: { readonly request: { readonly text: string } }, answer: Answer) => {
      begun += 1
      if (call.request.text === 'other') held.push(answer)
    },
  } as never)
  const faults: unknown[] = []
  const other = retrying({ attempts: 5 }, () =>
    callUnary(server.one, { text: 'other' }).catch((error) => {
      faults.push(error)
      throw error
    }),
  )
  const stop = new AbortController()
  const calls = Array.from({ length: GIVEN_UP }, () =>
    callUnary(server.one, { text: 'given up' }, { signal: stop.signal }).catch(() => {}),
  )
  await until(() => begun === GIVEN_UP + 1, { timeoutMs: 30_000 })
  stop.abort()
  await Promise.all(calls)
  await until(() => held.length === 2, { timeoutMs: 30_000 })
  for (const answer of held) answer(null, { text: 'made again' })
  expect((await other).text).toBe('made again')
  expect(faults).toEqual([expect.any(OffstageError)])
  expect(faults[0]).toMatchObject({ reason: 'SERVICE_UNREACHABLE', retryable: true })
})
