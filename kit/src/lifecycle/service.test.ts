import { describe, expect, test } from 'vitest'
import { createService, ServiceStoppedError } from './service.ts'

/** A service that starts and stops when the test says so, and writes down what happens. */
function scripted() {
  const events: string[] = []
  const starting = Promise.withResolvers<void>()
  const stopping = Promise.withResolvers<void>()
  const service = createService({
    name: 'scripted',
    start: async (signal) => {
      events.push('start')
      signal.addEventListener('abort', () => events.push('aborted'))
      await starting.promise
      events.push('ready')
    },
    stop: async () => {
      events.push('stop')
      await stopping.promise
      events.push('released')
    },
  })
  return { service, events, starting, stopping }
}

describe('start', () => {
  test('joins the start that is under way', async () => {
    const { service, events, starting } = scripted()
    const both = Promise.all([service.start(), service.start()])
    starting.resolve()
    await both
    await service.start()
    expect(events).toEqual(['start', 'ready'])
  })

  test('is refused after a stop', async () => {
    const { service, events } = scripted()
    await service.stop()
    await expect(service.start()).rejects.toThrow(new ServiceStoppedError('scripted'))
    expect(events).toEqual([])
  })

  test('that fails releases what it had acquired and rejects with its own error', async () => {
    const { service, events, starting, stopping } = scripted()
    const started = service.start()
    const refused = expect(started).rejects.toThrow('port taken')
    starting.reject(new Error('port taken'))
    stopping.resolve()
    await refused
    await service.stop()
    expect(events).toEqual(['start', 'stop', 'released'])
  })

  test('that fails and cannot be undone tells both errors', async () => {
    const { service, starting, stopping } = scripted()
    const failed = service.start().catch((error) => error)
    starting.reject(new Error('port taken'))
    stopping.reject(new Error('socket stuck'))
    const error = await failed
    expect(error).toBeInstanceOf(AggregateError)
    expect(error.errors.map(String)).toEqual(['Error: port taken', 'Error: socket stuck'])
  })
})

describe('stop', () => {
  test('before the start has nothing to do', async () => {
    const { service, events } = scripted()
    await service.stop()
    await service.stop()
    expect(events).toEqual([])
  })

  test('during the start aborts it, waits for its end, then releases', async () => {
    const { service, events, starting, stopping } = scripted()
    const refused = expect(service.start()).rejects.toThrow('scripted was stopped')
    await expect.poll(() => events).toEqual(['start'])
    const stopped = service.stop()
    starting.resolve()
    stopping.resolve()
    await stopped
    await refused
    expect(events).toEqual(['start', 'aborted', 'ready', 'stop', 'released'])
  })

  test('in the same tick as the start begins nothing', async () => {
    const { service, events } = scripted()
    const refused = expect(service.start()).rejects.toThrow('scripted was stopped')
    await service.stop()
    await refused
    expect(events).toEqual([])
  })

  test('has one outcome for everybody who calls it', async () => {
    const { service, events, starting, stopping } = scripted()
    starting.resolve()
    await service.start()
    const calls = [service.stop(), service.stop(), service[Symbol.asyncDispose]()]
    stopping.reject(new Error('socket stuck'))
    for (const call of calls) await expect(call).rejects.toThrow('socket stuck')
    expect(events).toEqual(['start', 'ready', 'stop'])
  })

  test('comes with the end of an await using block', async () => {
    const { service, events, starting, stopping } = scripted()
    starting.resolve()
    stopping.resolve()
    {
      await using it = service
      await it.start()
    }
    expect(events).toEqual(['start', 'ready', 'stop', 'released'])
  })
})
