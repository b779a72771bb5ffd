import { readFileSync } from 'node:fs'
import { ConfigError } from '@offstage/kit/config'
import { OffstageError } from '@offstage/sdk'
import { expect, test, vi } from 'vitest'
import { answered } from './commands/client.ts'
import { EXIT, exitCodeOf } from './exit-codes.ts'

test('an address of another service is a wrong configuration', () => {
  const error = new OffstageError({ code: 12, reason: 'WRONG_SERVICE', message: '' })
  expect(exitCodeOf(error)).toBe(EXIT.config)
})

test('a service without its database is as far away as one that is down', () => {
  const coded = (reason: string) => exitCodeOf(new OffstageError({ code: 14, reason, message: '' }))
  expect(coded('DATABASE_UNAVAILABLE')).toBe(EXIT.unreachable)
  expect(coded('SERVICE_UNREACHABLE')).toBe(EXIT.unreachable)
  expect(coded('JOB_NOT_FOUND')).toBe(EXIT.failed)
  expect(exitCodeOf(new ConfigError([]))).toBe(EXIT.config)
})

test('an answer that is late is said to be', async () => {
  vi.useFakeTimers()
  const written = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  try {
    expect(await answered(Promise.resolve(1))).toBe(1)
    const late = Promise.withResolvers<number>()
    const answer = answered(late.promise)
    await vi.advanceTimersByTimeAsync(1_999)
    expect(written).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(1)
    late.resolve(2)
    expect(await answer).toBe(2)
    expect(written.mock.calls).toEqual([['no answer yet from the services; retrying\n']])
  } finally {
    written.mockRestore()
    vi.useRealTimers()
  }
})

test('every exit code has its row in the guide, and every row its code', () => {
  const guide = readFileSync(
    new URL('../../docs/guides/getting-started.md', import.meta.url),
    'utf8',
  )
  const rows = [...guide.matchAll(/^\| (\d+) \| .+ \|$/gm)].map(([, code]) => Number(code))
  expect(rows).toEqual(Object.values(EXIT))
})
