import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { scrape, until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { createLogger, createMetrics, type Metrics } from '../telemetry/mod.ts'
import { createProbeServer } from './probe-server.ts'
import { probesOf } from './settings.ts'

const log = createLogger({ name: 'probes', level: 'silent' })

const readyAlways = () => undefined
const noMetrics = createMetrics({ service: 'storage', unready: readyAlways })

async function serve(
  unready: () => string | undefined = readyAlways,
  metrics: Pick<Metrics, 'render'> = createMetrics({ service: 'scheduler', unready }),
) {
  const server = createProbeServer({ host: '127.0.0.1', port: 0, unready, metrics, log })
  await server.start()
  const get = async (path: string, method = 'GET', headers = {}) => {
    const url = `http://127.0.0.1:${server.port}${path}`
    const response = await fetch(url, { method, headers })
    return { code: response.status, text: (await response.text()).trim() }
  }
  const dial = async () => {
    const socket = connect(server.port, '127.0.0.1').on('error', () => {})
    await once(socket, 'connect')
    return socket
  }
  return { get, dial, port: server.port, [Symbol.asyncDispose]: server.stop }
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
  for (const path of ['/', '/livez/x', '/LIVEZ', '/metrics/x', '/constructor', '/__proto__']) {
    expect((await probes.get(path)).code, path).toBe(404)
  }
  expect((await probes.get('/livez', 'POST')).code).toBe(405)
  expect((await probes.get('/readyz', 'HEAD')).code).toBe(200)
})

test('metrics tell which service this is, whether it is ready, and how its process fares', async () => {
  let why: string | undefined = 'draining'
  await using probes = await serve(() => why)
  const first = await scrape(probes.port)
  expect(first.contentType).toBe('text/plain; version=0.0.4; charset=utf-8')
  expect(first.text).toMatch(
    /^offstage_build_info\{service="scheduler",version="\d+\.\d+\.\d+"\} 1$/m,
  )
  expect(first.value('offstage_ready')).toBe(0)
  why = undefined
  const second = await scrape(probes.port)
  expect(second.value('offstage_ready')).toBe(1)
  expect(second.value('process_resident_memory_bytes')).toBeGreaterThan(0)
  expect(second.value('process_cpu_seconds_total')).toBeGreaterThan(0)
  expect(second.types).toMatchObject({
    nodejs_eventloop_lag_p99_seconds: 'gauge',
    nodejs_heap_size_used_bytes: 'gauge',
    nodejs_gc_duration_seconds: 'histogram',
    process_start_time_seconds: 'gauge',
    process_cpu_seconds_total: 'counter',
  })
})

test('metrics come as OpenMetrics to those who ask for it, before and after others', async () => {
  await using probes = await serve()
  const accept = 'application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2'
  for (const _ of [1, 2]) {
    const open = (await probes.get('/metrics', 'GET', { accept })).text
    expect(open).toMatch(/^# TYPE process_cpu_seconds counter\nprocess_cpu_seconds_total [\d.]+$/m)
    expect(open).toMatch(/\n# EOF$/)
    expect(open).not.toContain('\n\n')
    const plain = await scrape(probes.port)
    expect(plain.types.process_cpu_seconds_total).toBe('counter')
    expect(plain.text).not.toContain('# EOF')
  }
})

test('metrics that cannot be told take no probe with them', async () => {
  const render = () => Promise.reject(new Error('broken'))
  await using probes = await serve(readyAlways, { render })
  expect(await probes.get('/metrics')).toMatchObject({ code: 500 })
  expect((await probes.get('/livez')).code).toBe(200)
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
  const unready = readyAlways
  const server = createProbeServer({
    host: '127.0.0.1',
    port: 0,
    unready,
    metrics: noMetrics,
    log,
  })
  await using _ = server
  await server.start()
  const config = { host: '127.0.0.1', healthHost: undefined }
  const of = (healthPort: number | undefined) =>
    probesOf({
      service: 'STORAGE',
      config: { ...config, healthPort },
      log,
      metrics: createMetrics({ service: 'storage', unready }),
      unready,
    })
  await expect(of(server.port).start()).rejects.toThrow(
    /^OFFSTAGE_STORAGE_HEALTH_PORT: cannot listen/,
  )
  await using none = of(undefined)
  await none.start()
})
