import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { createLogger } from '../telemetry/mod.ts'
import { createProbeServer } from './probe-server.ts'
import { probesOf } from './settings.ts'

const log = createLogger({ name: 'probes', level: 'silent' })

async function serve(unready: () => string | undefined = () => undefined) {
  const server = createProbeServer({ host: '127.0.0.1', port: 0, unready })
  await server.start()
  const get = async (path: string, method = 'GET') => {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`, { method })
    return { code: response.status, text: (await response.text()).trim() }
  }
  const dial = async () => {
    const socket = connect(server.port, '127.0.0.1').on('error', () => {})
    await once(socket, 'connect')
    return socket
  }
  return { get, dial, [Symbol.asyncDispose]: server.stop }
}

test('a process is live from the start, and ready while nothing speaks against it', async () => {
  let why: string | undefined = 'not started'
  await using probes = await serve(() => why)
  for (const each of ['not started', 'overloaded', 'stopping']) {
    why = each
    expect(await probes.get('/livez')).toEqual({ code: 200, text: 'live' })
    expect(await probes.get('/readyz?verbose')).toEqual({ code: 503, text: each })
  }
  why = undefined
  expect(await probes.get('/readyz')).toEqual({ code: 200, text: 'ready' })
})

test('nothing else is served', async () => {
  await using probes = await serve()
  for (const path of ['/', '/livez/x', '/LIVEZ', '/metrics', '/constructor', '/__proto__']) {
    expect((await probes.get(path)).code, path).toBe(404)
  }
  expect((await probes.get('/livez', 'POST')).code).toBe(405)
  expect((await probes.get('/readyz', 'HEAD')).code).toBe(200)
})

test('large headers are refused, and each connection is for one request', async () => {
  await using probes = await serve()
  const answerTo = async (request: string) => {
    const socket = await probes.dial()
    socket.write(request)
    return text(socket)
  }
  expect(
    await answerTo(`GET /livez HTTP/1.1\r\nhost: x\r\nx: ${'x'.repeat(8_000)}\r\n\r\n`),
  ).toMatch(/^HTTP\/1\.1 431/)
  const twice = await answerTo('GET /livez HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(2))
  expect(twice.match(/HTTP\/1\.1 200/g)).toHaveLength(1)
})

test('silent connections shut nobody out: the oldest gives way to the newest', async () => {
  await using probes = await serve()
  const [first, ...more] = await Promise.all(Array.from({ length: 200 }, () => probes.dial()))
  expect(await probes.get('/livez')).toEqual({ code: 200, text: 'live' })
  const silent = [first, ...more]
  await until(() => silent.filter((socket) => socket?.closed === false).length <= 64)
  for (const socket of silent) socket?.destroy()
})

test('a service whose port for probes is taken names its variable', async () => {
  const server = createProbeServer({ host: '127.0.0.1', port: 0, unready: () => undefined })
  await using _ = server
  await server.start()
  const config = { host: '127.0.0.1', healthHost: undefined }
  const of = (healthPort: number | undefined) =>
    probesOf({
      service: 'STORAGE',
      config: { ...config, healthPort },
      log,
      unready: () => undefined,
    })
  await expect(of(server.port).start()).rejects.toThrow(
    /^OFFSTAGE_STORAGE_HEALTH_PORT: cannot listen/,
  )
  await using none = of(undefined)
  await none.start()
})
