/** What a client that has a token says where nothing encrypts what it sends. */
import { afterEach, describe, expect, test, vi } from 'vitest'
import { Offstage } from './offstage.ts'

afterEach(() => vi.unstubAllEnvs())

const here = { scheduler: '127.0.0.1:1', storage: 'localhost:1' }
const elsewhere = { scheduler: 'scheduler.example.com:7701' }

describe('a token is not sent in plain text to another machine', () => {
  test.each([
    [
      'the scheduler',
      { ...here, ...elsewhere },
      /to scheduler\.example\.com:7701 \(OFFSTAGE_SCHEDULER\) in plain text/,
    ],
    [
      'the storage',
      { ...here, storage: '10.0.0.1:7702' },
      /to 10\.0\.0\.1:7702 \(OFFSTAGE_STORAGE\).*OFFSTAGE_TLS_CA/,
    ],
    [
      'one of several addresses',
      { ...here, scheduler: 'ipv4:127.0.0.1:1,10.0.0.1:1' },
      /in plain text/,
    ],
  ])('%s', (_what, places, text) => {
    for (const token of ['abc', () => 'abc']) {
      expect(() => Offstage.dial({ ...places, token })).toThrow(text)
    }
    expect(() => Offstage.dial({ ...places, tokenFile: '/run/token' })).toThrow(text)
    vi.stubEnv('OFFSTAGE_TOKEN', 'abc')
    expect(() => Offstage.dial(places)).toThrow(text)
  })

  test('unless somebody says that something else encrypts', async () => {
    const token = 'abc'
    await Offstage.dial({ ...here, ...elsewhere, token, tls: false }).close()
    vi.stubEnv('OFFSTAGE_TLS', 'off')
    await Offstage.dial({ ...here, ...elsewhere, token }).close()
    vi.stubEnv('OFFSTAGE_TLS', 'no')
    expect(() => Offstage.dial({ ...here, ...elsewhere, token })).toThrow(/can only be "off"/)
  })

  test('and is where TLS is on, where it stays on this machine, and where there is none', async () => {
    await Offstage.dial({ ...elsewhere, token: 'abc', tls: { ca: 'system' } }).close()
    await Offstage.dial({ ...here, token: 'abc' }).close()
    await Offstage.dial(elsewhere).close()
  })
})

test.each(['https://ann:opensesame@a:7701', 'opensesame@a:7701', 'dns:opensesame@a:7701'])(
  'an address with a login in it is refused, and the login of %s not shown',
  (scheduler) => {
    const refusal = 'the address of a service is host:port, not a URL, with no login: ***@a:7701'
    expect(() => Offstage.dial({ scheduler })).toThrow(refusal)
    expect(() => Offstage.dial({ ...here, storage: scheduler })).toThrow(refusal)
    expect(() => Offstage.dial({ scheduler, token: 'abc' })).toThrow(/would go to \*{3}@a:7701 \(/)
  },
)
