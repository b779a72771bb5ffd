import { once } from 'node:events'
import { connect } from 'node:net'
import { certificateSource } from '@offstage/proto/certificate-files'
import { createAuthority, createPemFolder, until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { serveEcho } from './echo-fixture.ts'

test('who connects and says nothing of TLS is let go long before two minutes', async () => {
  await using folder = await createPemFolder()
  const own = await (await createAuthority()).issue()
  const tls = certificateSource(await folder.write({ cert: own.cert, key: own.key }))
  await using echo = await serveEcho({}, { tls })
  const socket = connect(echo.server.port, '127.0.0.1').on('error', () => {})
  await once(socket, 'connect')
  // The beginning of a handshake keeps nothing open either.
  socket.resume().write(Buffer.from('1603010200010001fc0303', 'hex'))
  await until(() => socket.closed, { timeoutMs: 30_000, what: 'the end of the connection' })
  expect(socket.closed).toBe(true)
}, 60_000)
