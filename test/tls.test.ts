/** TLS and mutual TLS between the SDK's channel and a server of the kit, with certificates that change under load. */
import { Metadata } from '@grpc/grpc-js'
import { createGrpcServer, type ServerTls, unary } from '@offstage/kit/grpc'
import { createLogger } from '@offstage/kit/telemetry'
import type { TlsMaterial } from '@offstage/proto/certificates'
import * as proto from '@offstage/proto/executor'
import { type ChannelTls, callUnary, createChannel } from '@offstage/sdk/grpc'
import { generate } from 'selfsigned'
import { expect, test } from 'vitest'

/** Node says each only once, to whoever listens by then. */
const warnings: Error[] = []
process.on('warning', (warning) => warnings.push(warning))

/** A certificate for an address that only its own text vouches for. */
async function material(ip = '127.0.0.1'): Promise<Required<TlsMaterial>> {
  const made = await generate([{ name: 'commonName', value: ip }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'subjectAltName', altNames: [{ type: 7, ip }] },
    ],
  })
  return {
    ca: Buffer.from(made.cert),
    cert: Buffer.from(made.cert),
    key: Buffer.from(made.private),
  }
}

async function serve(tls: ServerTls, host = '127.0.0.1') {
  const implementation = {
    describeExecutor: unary<proto.DescribeExecutorRequest, proto.DescribeExecutorResponse>(
      'executors.read',
      () => proto.DescribeExecutorResponse.fromPartial({ name: 'served' }),
    ),
    drain: unary<proto.DrainRequest, proto.DrainResponse>('executors.drain', () =>
      proto.DrainResponse.fromPartial({}),
    ),
  }
  const server = createGrpcServer({
    name: 'tls',
    host,
    port: 0,
    services: [{ definition: proto.ExecutorControlServiceService, implementation }],
    log: createLogger({ name: 'tls', level: 'silent' }),
    stopGraceMs: 500,
    tls,
  })
  await server.start()
  return server
}

/** One call on a connection of its own. */
async function ask(address: string, tls?: ChannelTls): Promise<string> {
  using channel = createChannel(address, { ...(tls && { tls }) })
  const client = channel.client(proto.ExecutorControlServiceClient)
  const terms = { deadlineMs: 5_000, metadata: new Metadata(), target: channel }
  const describe = client.describeExecutor.bind(client)
  return (await callUnary(describe, {}, terms)).name
}

test('a client that trusts the server is served; one that does not, or speaks plain text, is not', async () => {
  const own = await material()
  await using server = await serve({ read: () => own })
  expect(await ask(server.address, { read: () => ({ ca: own.ca }) })).toBe('served')
  const other = await material()
  await expect(ask(server.address, { read: () => ({ ca: other.ca }) })).rejects.toThrow(
    'cannot reach',
  )
  await expect(ask(server.address)).rejects.toThrow('cannot reach')
})

test('a server is held to the addresses it is called by, each of which may have its own certificate', async () => {
  const own = await material('127.0.0.2')
  const read = () => own
  await using one = await serve({ read }, '127.0.0.2')
  await using other = await serve({ read })
  expect(await ask(one.address, { read })).toBe('served')
  const away = '127.0.0.3:1'
  expect(await ask(`ipv4:${away},${one.address}`, { read })).toBe('served')
  for (const target of [other.address, `ipv4:${away},${other.address}`]) {
    await expect(ask(target, { read })).rejects.toThrow(/certificate/)
  }
})

test('with mutual TLS only a client with a certificate of the ca is served', async () => {
  const own = await material()
  const client = await material()
  const read = () => ({ cert: own.cert, key: own.key, ca: client.ca })
  await using server = await serve({ read, clientCertificates: true })
  const trusting = { ca: own.ca }
  const known = { ...trusting, cert: client.cert, key: client.key }
  expect(await ask(server.address, { read: () => known, clientCertificate: true })).toBe('served')
  const stranger = { ...(await material()), ...trusting }
  await expect(ask(server.address, { read: () => trusting })).rejects.toThrow()
  await expect(
    ask(server.address, { read: () => stranger, clientCertificate: true }),
  ).rejects.toThrow()
})

test('a new certificate holds for the next connection, and connections there are go on', async () => {
  const old = await material()
  const next = await material()
  let now: TlsMaterial = old
  const told: unknown[] = []
  await using server = await serve({
    read: () => {
      if (now === old || now === next) return now
      throw new Error('half written')
    },
    everyMs: 5,
    onError: (error) => told.push(error),
  })
  using channel = createChannel(server.address, { tls: { read: () => ({ ca: old.ca }) } })
  const client = channel.client(proto.ExecutorControlServiceClient)
  const onOldConnection = () =>
    callUnary(
      client.describeExecutor.bind(client),
      {},
      {
        deadlineMs: 5_000,
        metadata: new Metadata(),
        target: channel,
      },
    )
  await onOldConnection()
  now = {}
  await expect.poll(() => told.length).toBeGreaterThan(0)
  expect(await ask(server.address, { read: () => ({ ca: old.ca }) })).toBe('served')
  now = next
  await expect
    .poll(() => ask(server.address, { read: () => ({ ca: next.ca }) }).catch(() => 'refused'), {
      timeout: 10_000,
    })
    .toBe('served')
  await expect(ask(server.address, { read: () => ({ ca: old.ca }) })).rejects.toThrow()
  expect((await onOldConnection()).name).toBe('served')
})

test('a server without certificates, or one that asks for them without a ca, does not start', async () => {
  const { cert, key } = await material()
  await expect(serve({ read: () => ({}) })).rejects.toThrow('needs a certificate and its key')
  await expect(serve({ read: () => ({ cert, key }), clientCertificates: true })).rejects.toThrow(
    'needs the ca',
  )
})

test('an address is dialled without a warning of Node', async () => {
  const own = await material()
  await using server = await serve({ read: () => own })
  expect(await ask(server.address, { read: () => own })).toBe('served')
  expect(warnings).toEqual([])
})
