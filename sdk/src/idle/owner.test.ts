import { expect, test } from 'vitest'
import { createTestTable } from '../testing/test-table.ts'
import type { ActivitySource } from './activity.ts'
import { OwnerDisposedError, OwnerNotOpenError } from './errors.ts'
import { TableOwner } from './table-owner.ts'

test('disposing of an owner stops its handlers and no others (row I4)', async () => {
  using it = createTestTable()
  const stays = it.table.owner('form')
  it.table.attach(stays, it.handler('stays'), { intervalMs: 100 })
  {
    using form = it.table.owner('form')
    it.table.attach(form, it.handler('a'), { intervalMs: 100 })
    it.table.attach(form, it.handler('b'), { intervalMs: 100, once: true })
    expect(it.table.size).toBe(3)
  }
  expect(it.table.size).toBe(1)
  await it.clock.advance(200)
  expect(it.runs).toEqual(['stays@100', 'stays@200'])
})

test('attaching to a disposed owner is refused with its level and name; detaching is nothing', () => {
  using it = createTestTable()
  const form = it.table.owner('form', 'invoice 17')
  const handler = it.handler('a')
  it.table.attach(form, handler, { intervalMs: 100 })
  form.dispose()
  form.dispose()
  const attach = () => it.table.attach(form, handler, { intervalMs: 100 })
  expect(attach).toThrow(OwnerDisposedError)
  expect(attach).toThrow('the form "invoice 17" is disposed')
  expect(form.disposed).toBe(true)
  expect(it.table.detach(form, handler)).toBe(false)
  expect(it.table.isAttached(form, handler)).toBe(false)
})

test('an owner that is not open yet refuses handlers until it is opened', async () => {
  using it = createTestTable()
  const form = it.table.owner('form', 'invoice 17', { open: false })
  const attach = () => it.table.attach(form, it.handler('a'), { intervalMs: 100 })
  expect([form.isOpen, form.disposed]).toEqual([false, false])
  expect(attach).toThrow(OwnerNotOpenError)
  expect(attach).toThrow('the form "invoice 17" is not open yet')
  form.open()
  form.open()
  expect(form.isOpen).toBe(true)
  expect(attach()).toBe(true)
  await it.clock.advance(100)
  expect(it.runs).toEqual(['a@100'])
  form.dispose()
  form.open()
  expect(form.isOpen).toBe(false)
  expect(attach).toThrow(OwnerDisposedError)
})

test('with strict: false attaching to an owner that is not open yet, closed or of a disposed table is nothing', async () => {
  using it = createTestTable()
  const attach = (owner: ReturnType<typeof it.table.owner>) =>
    it.table.attach(owner, it.handler('a'), { intervalMs: 100, strict: false })
  const form = it.table.owner('form', 'invoice', { open: false })
  const closed = it.table.owner('form')
  closed.dispose()
  expect([attach(form), attach(closed), it.table.size]).toEqual([false, false, 0])
  form.open()
  expect([attach(form), it.table.size]).toEqual([true, 1])
  await it.clock.advance(100)
  expect(it.newRuns()).toEqual(['a@100'])
  it.table.dispose()
  expect(attach(form)).toBe(false)
})

test('an owner disposed in the run of its own handler: the run ends, nothing of the owner runs again', async () => {
  using it = createTestTable()
  const form = it.table.owner('form')
  const closing = it.handler('closing', async () => {
    form.dispose()
    await it.clock.delay(50)
    it.runs.push('closing ends')
    it.table.attach(form, closing, { intervalMs: 100 })
  })
  it.table.attach(form, closing, { intervalMs: 100 })
  it.table.attach(form, it.handler('sibling'), { intervalMs: 100 })
  it.table.attach(it.table.owner('form'), it.handler('other'), { intervalMs: 100 })
  await it.clock.advance(200)
  expect(it.runs).toEqual(['closing@100', 'closing ends', 'other@150', 'other@200'])
  expect(it.failures.map(({ error }) => error)).toEqual([expect.any(OwnerDisposedError)])
})

test('an owner disposed by another while its asynchronous handler runs sees it by `disposed`', async () => {
  using it = createTestTable()
  const form = it.table.owner('form')
  const polling = it.handler('polling', async () => {
    while (!form.disposed) await it.clock.delay(10)
    it.runs.push(`saw it @${it.clock.now()}`)
  })
  it.table.attach(form, polling, { intervalMs: 100 })
  await it.clock.advance(125)
  form.dispose()
  await it.clock.advance(200)
  expect(it.runs).toEqual(['polling@100', 'saw it @130'])
})

test('disposing of the table stops everything, for owners of before and after', async () => {
  using it = createTestTable()
  const form = it.table.owner('form')
  const handler = it.handler('a')
  it.table.attach(form, handler, { intervalMs: 100 })
  it.table.dispose()
  it.table.dispose()
  expect(it.table.disposed).toBe(true)
  expect(it.table.size).toBe(0)
  expect(it.table.isAttached(form, handler)).toBe(false)
  expect(it.table.detach(form, handler)).toBe(false)
  expect(it.clock.pendingTimers).toBe(0)
  for (const owner of [form, it.table.owner('application')]) {
    expect(owner.disposed).toBe(true)
    const attach = () => it.table.attach(owner, handler, { intervalMs: 100 })
    expect(attach).toThrow(OwnerDisposedError)
  }
  form.dispose()
  await it.clock.advance(200)
  expect(it.runs).toEqual([])
})

test('a disposed table lets go of its handlers, waiting or due, and of its activity', async () => {
  const subscriptions = new Set<Disposable>()
  const activity: ActivitySource = {
    busy: false,
    onIdle() {
      const subscription = { [Symbol.dispose]: () => void subscriptions.delete(subscription) }
      subscriptions.add(subscription)
      return subscription
    },
  }
  using it = createTestTable({ activity })
  const form = new TableOwner(it.table, 'form', 'invoice')
  it.table.attach(
    form,
    it.handler('a', () => it.table.blockAll()),
    { intervalMs: 100 },
  )
  it.table.attach(form, it.handler('b'), { intervalMs: 100 })
  await it.clock.advance(100)
  expect(it.runs).toEqual(['a@100'])
  expect([form.attachments.size, subscriptions.size]).toEqual([2, 1])
  it.table.dispose()
  it.table.dispose()
  expect([form.attachments.size, subscriptions.size]).toEqual([0, 0])
})
