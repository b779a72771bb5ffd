import { EventEmitter } from 'node:events'
import { expect, onTestFinished, test } from 'vitest'
import { GlobalsWatch } from './globals-watch.ts'

const { prototype } = EventEmitter
const { on } = prototype

function setup() {
  const told: string[] = []
  const watch = new GlobalsWatch(({ what }) => void told.push(...what))
  onTestFinished(() => {
    prototype.on = on
  })
  return { told, watch }
}

function another(this: EventEmitter, ...args: Parameters<typeof on>): EventEmitter {
  return on.apply(this, args)
}

test('what our own code replaces is no change of a handler, nor is that it puts it back', () => {
  const { told, watch } = setup()
  watch.replaces(prototype, 'on', another)
  prototype.on = another as typeof on
  watch.look()
  expect(told).toEqual([])
  const later = setup()
  later.watch.replaces(prototype, 'on', on)
  prototype.on = on
  later.watch.look()
  expect(later.told).toEqual([])
})

test.each([
  ['before', ['handler', 'ours']],
  ['after', ['ours', 'handler']],
])('what a handler replaces %s our own code does is told', (_when, order) => {
  const { told, watch } = setup()
  for (const who of order) {
    const next = another.bind(undefined as never) as typeof on
    if (who === 'ours') watch.replaces(prototype, 'on', next)
    prototype.on = next
  }
  watch.look()
  expect(told).toEqual(['EventEmitter.prototype.on'])
})
