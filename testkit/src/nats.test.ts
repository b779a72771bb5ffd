import { connect } from '@nats-io/transport-node'
import { afterEach, expect, test, vi } from 'vitest'
import { startNats } from './nats.ts'

afterEach(() => {
  vi.unstubAllEnvs()
})

async function infoOf(url: string) {
  const connection = await connect({ servers: url, reconnect: false })
  const { info } = connection
  await connection.close()
  return info
}

test('a stopped or killed server comes back on the same port', async () => {
  await using nats = await startNats()
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    await nats.stop(signal)
    await expect(infoOf(nats.url)).rejects.toThrow()
    await nats.start()
    expect(await infoOf(nats.url)).toMatchObject({ port: nats.port, version: nats.version })
  }
})

test('JetStream is off unless asked for', async () => {
  await using plain = await startNats()
  expect((await infoOf(plain.url))?.jetstream ?? false).toBe(false)
  await using streaming = await startNats({ jetstream: true })
  expect((await infoOf(streaming.url))?.jetstream).toBe(true)
})

test('a setting that the server will not have is told in its own words', async () => {
  const refused = startNats({ jetstream: true, syncInterval: 'seldom' })
  await expect(refused).rejects.toThrow(/before it was ready.*sync_interval/s)
})

test('a missing server is an error that says what to install', async () => {
  vi.stubEnv('OFFSTAGE_NATS_SERVER', '/nowhere/nats-server')
  await expect(startNats()).rejects.toThrow(/no nats-server found: run make servers/)
})
