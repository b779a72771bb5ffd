/** A name of several addresses, such as that of a headless service in Kubernetes. */
import dns from 'node:dns'
import { expect, test, vi } from 'vitest'
import { echoMethods, serveEcho } from '../testing/echo-fixture.ts'
import { createChannel } from './channel.ts'
import { retrying } from './retrying.ts'
import { callUnary } from './unary.ts'

const NAME = 'scheduler.offstage.test'

/** Servers on one port of several loopback addresses, each of which answers with its own. */
async function serveAt(at: number, ...hosts: string[]) {
  using stack = new DisposableStack()
  const servers = new Map<string, Awaited<ReturnType<typeof serveEcho>>>()
  let port = at
  for (const host of hosts) {
    const one = (_call: unknown, answer: (e: null, a: object) => void) =>
      answer(null, { text: host })
    const server = stack.use(
      await serveEcho({ one, down: one, up: one, both: one }, {}, [host, port]),
    )
    port = Number(server.address.split(':')[1])
    servers.set(host, server)
  }
  const all = stack.move()
  return { port, servers, [Symbol.dispose]: () => all.dispose() }
}

/** What the name stands for from now on. */
function resolveTo(...addresses: string[]): void {
  vi.spyOn(dns.promises, 'lookup').mockImplementation(async (name) => {
    expect(name).toBe(NAME)
    // biome-ignore lint/suspicious/noExplicitAny: one of many overloads
    return addresses.map((address) => ({ address, family: 4 })) as any
  })
}

function callerOf(address: string) {
  const channel = createChannel(address)
  const { one } = echoMethods(channel)
  const call = async () => {
    const { text } = await retrying({ attempts: 12 }, () => callUnary(one, { text: '' }))
    return text
  }
  return { call, [Symbol.dispose]: channel.close }
}

test('calls go on where every address of a name has changed', async () => {
  using old = await serveAt(0, '127.0.0.1')
  resolveTo('127.0.0.1')
  using caller = callerOf(`dns:///${NAME}:${old.port}`)
  expect(await caller.call()).toBe('127.0.0.1')
  using _next = await serveAt(old.port, '127.0.0.2')
  resolveTo('127.0.0.2')
  old.servers.get('127.0.0.1')?.kill()
  expect(await caller.call()).toBe('127.0.0.2')
})

test('calls to dns:/// go to all addresses of the name in turn, and pass over one that is gone', async () => {
  const hosts = ['127.0.0.1', '127.0.0.2', '127.0.0.3']
  using there = await serveAt(0, ...hosts)
  resolveTo(...hosts)
  using caller = callerOf(`dns:///${NAME}:${there.port}`)
  const seen = async () => new Set(await Promise.all(Array.from({ length: 60 }, caller.call)))
  await vi.waitFor(async () => expect(await seen()).toEqual(new Set(hosts)))
  there.servers.get('127.0.0.2')?.kill()
  await vi.waitFor(async () => expect(await seen()).toEqual(new Set(['127.0.0.1', '127.0.0.3'])))
})

test('calls to a name without dns:/// keep to one address', async () => {
  const hosts = ['127.0.0.1', '127.0.0.2']
  using there = await serveAt(0, ...hosts)
  resolveTo(...hosts)
  using caller = callerOf(`${NAME}:${there.port}`)
  const seen = new Set(await Promise.all(Array.from({ length: 60 }, caller.call)))
  expect([...seen]).toEqual(['127.0.0.1'])
})
