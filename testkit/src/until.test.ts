import { expect, test } from 'vitest'
import { until } from './until.ts'

test('until resolves once the condition holds', async () => {
  let asked = 0
  await until(async () => ++asked === 3)
  expect(asked).toBe(3)
})

test('until names what it waited for when it gives up', async () => {
  await expect(until(() => false, { timeoutMs: 5, what: 'the moon is full' })).rejects.toThrow(
    'gave up after 5 ms waiting until the moon is full',
  )
})

test('what until waited for may be told as it stands when it gives up', async () => {
  let asked = 0
  const wait = until(() => ++asked < 0, { timeoutMs: 5, what: () => `asked ${asked > 0}` })
  await expect(wait).rejects.toThrow('waiting until asked true')
})

test('a condition that throws fails the wait at once', async () => {
  let asked = 0
  const failing = until(() => {
    asked += 1
    throw new Error('broken')
  })
  await expect(failing).rejects.toThrow('broken')
  expect(asked).toBe(1)
})
