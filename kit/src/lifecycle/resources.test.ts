import { expect, test } from 'vitest'
import { Resources } from './resources.ts'

function resource(name: string, closed: string[], fault?: Error): AsyncDisposable {
  return {
    async [Symbol.asyncDispose]() {
      closed.push(name)
      if (fault !== undefined) throw fault
    },
  }
}

test('what was opened last is closed first, and once', async () => {
  const closed: string[] = []
  const resources = new Resources()
  for (const name of ['one', 'two', 'three']) resources.use(resource(name, closed))
  await resources[Symbol.asyncDispose]()
  await resources[Symbol.asyncDispose]()
  expect(closed).toEqual(['three', 'two', 'one'])
})

test('one that fails to close keeps no other open, and is told', async () => {
  const closed: string[] = []
  const resources = new Resources()
  resources.use(resource('one', closed, new Error('stuck')))
  resources.use(resource('two', closed))
  await expect(resources[Symbol.asyncDispose]()).rejects.toThrow('stuck')
  expect(closed).toEqual(['two', 'one'])
})

test('several that fail to close are all told', async () => {
  const resources = new Resources()
  resources.use(resource('one', [], new Error('stuck')))
  resources.use(resource('two', [], new Error('jammed')))
  await expect(resources[Symbol.asyncDispose]()).rejects.toThrow(/jammed.*stuck/)
})

test('what was handed on is closed by its new owner alone', async () => {
  const closed: string[] = []
  const first = new Resources()
  first.use(resource('one', closed))
  const second = first.move()
  await first[Symbol.asyncDispose]()
  expect(closed).toEqual([])
  await second[Symbol.asyncDispose]()
  expect(closed).toEqual(['one'])
})
