import { Server, type ServerUnaryCall, type sendUnaryData, status } from '@grpc/grpc-js'
import { Method, Namespace, NamespaceServiceService } from '@offstage/proto/jobs'
import { expect, test } from 'vitest'
import { listenLocally, refusalOf } from '../testing/fake-server.ts'
import type { MethodInfo } from './namespace-calls.ts'
import { Offstage } from './offstage.ts'

/** A scripted scheduler that pauses, and knows three methods, two to a page. */
async function setup() {
  const server = new Server()
  const calls: string[] = []
  let isPaused = false
  const answer =
    <Req, Res>(work: (request: Req) => Res) =>
    ({ request }: ServerUnaryCall<Req, Res>, callback: sendUnaryData<Res>) => {
      try {
        callback(null, work(request))
      } catch (error) {
        callback(error as Error, null)
      }
    }
  const note =
    (name: string, paused = isPaused) =>
    ({ namespace, method, pool }: { namespace: string; method?: string; pool?: string }) => {
      calls.push([name, namespace, method, pool].filter(Boolean).join(' '))
      if (method === 'a.unknown') {
        throw refusalOf({ code: status.NOT_FOUND, reason: 'METHOD_UNKNOWN' })
      }
      isPaused = paused
      return {}
    }
  const methods = ['a', 'b', 'c'].map((name) =>
    Method.fromPartial({ name, lane: 2, paused: name === 'b', executorCount: 1 }),
  )
  const page = ({ pageToken }: { pageToken: string }) => {
    const from = Number(pageToken)
    const nextPageToken = from + 2 < methods.length ? String(from + 2) : ''
    return { methods: methods.slice(from, from + 2), nextPageToken }
  }
  const pausedPools = ['gpu']
  const namespace = () => ({ namespace: Namespace.fromPartial({ paused: isPaused, pausedPools }) })
  server.addService(NamespaceServiceService, {
    pauseMethod: answer(note('pauseMethod')),
    resumeMethod: answer(note('resumeMethod')),
    pausePool: answer(note('pausePool')),
    resumePool: answer(note('resumePool')),
    pauseNamespace: answer(note('pauseNamespace', true)),
    resumeNamespace: answer(note('resumeNamespace', false)),
    getNamespace: answer(namespace),
    listMethods: answer(page),
  })
  const scheduler = await listenLocally(server)
  const offstage = Offstage.dial({ scheduler, namespace: 'space' })
  return {
    calls,
    offstage,
    async [Symbol.asyncDispose]() {
      await offstage.close()
      server.forceShutdown()
    },
  }
}

test("methods, pools and the client's namespace are paused and resumed", async () => {
  await using it = await setup()
  await it.offstage.pauseMethod('reports.delays')
  await it.offstage.resumeMethod('reports.delays')
  await it.offstage.pausePool('gpu', { cancelRunning: true })
  await it.offstage.resumePool('gpu')
  expect((await it.offstage.settings.get()).pausedPools).toEqual(['gpu'])
  await it.offstage.pauseNamespace()
  expect(await it.offstage.isNamespacePaused()).toBe(true)
  await it.offstage.resumeNamespace()
  expect(await it.offstage.isNamespacePaused()).toBe(false)
  expect(it.calls).toEqual([
    'pauseMethod space reports.delays',
    'resumeMethod space reports.delays',
    'pausePool space gpu',
    'resumePool space gpu',
    'pauseNamespace space',
    'resumeNamespace space',
  ])
})

test('a method or a pool that is none is refused before any call, and one nobody knows by the scheduler', async () => {
  await using it = await setup()
  await expect(it.offstage.pauseMethod('')).rejects.toThrow(TypeError)
  await expect(it.offstage.resumeMethod(7 as never)).rejects.toThrow('the method must be')
  await expect(it.offstage.pausePool('')).rejects.toThrow('the pool must be')
  await expect(it.offstage.resumePool('a b')).rejects.toThrow(TypeError)
  expect(it.calls).toEqual([])
  const unknown = it.offstage.pauseMethod('a.unknown')
  await expect(unknown).rejects.toMatchObject({ reason: 'METHOD_UNKNOWN' })
})

test('methods are listed through all pages', async () => {
  await using it = await setup()
  const methods: MethodInfo[] = []
  for await (const method of it.offstage.listMethods({ pageSize: 2 })) methods.push(method)
  expect(methods.map(({ name }) => name)).toEqual(['a', 'b', 'c'])
  expect(methods[1]).toMatchObject({ lane: 'task', isPaused: true, executorCount: 1 })
  const wrong = it.offstage.listMethods({ pageSise: 2 } as object).next()
  await expect(wrong).rejects.toThrow('pageSise')
})
