import { expect, test } from 'vitest'
import { parsePostgresUrl } from './postgres-url.ts'

const parse = (parameters: string) => parsePostgresUrl(`postgres://u:p@h:1/d?${parameters}`)

test('what says how to encrypt is taken out of the url, and the rest is left', () => {
  const { url, tls } = parse(
    'sslmode=verify-full&options=-c%20x%3D1&sslrootcert=/ca&sslcert=/c&sslkey=/k',
  )
  expect(url).toBe('postgres://u:p@h:1/d?options=-c+x%3D1')
  expect(tls).toEqual({ ca: '/ca', cert: '/c', key: '/k', checksHost: true })
  expect(parse('sslrootcert=/ca').tls).toEqual({ ca: '/ca', checksHost: true })
  expect(parse('sslmode=verify-ca&sslrootcert=/ca').tls).toEqual({ ca: '/ca', checksHost: false })
  expect(parse('sslmode=disable').tls).toBeUndefined()
  expect(parse('').tls).toBeUndefined()
})

test.each([
  'sslmode=require',
  'sslmode=prefer',
  'sslmode=allow',
  'sslmode=no-verify',
  'sslmode=verify-ca',
  'sslmode=verify-ca&sslrootcert=system',
  'sslmode=disable&sslrootcert=/ca',
  'ssl=true',
  'sslnegotiation=direct',
  'uselibpqcompat=true',
])('%s is refused: it would trust whoever answers, or says two things', (parameters) => {
  expect(() => parse(parameters)).toThrow(TypeError)
})
