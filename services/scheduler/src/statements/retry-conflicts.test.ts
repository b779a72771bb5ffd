import { expect, test } from 'vitest'
import { retryConflicts } from './retry-conflicts.ts'

const fault = (code: string) => Object.assign(new Error(code), { code, severity: 'ERROR' })

function failing(error: Error, times: number) {
  const write = async () => {
    write.calls++
    if (write.calls <= times) throw error
    return 'written'
  }
  write.calls = 0
  return write
}

test('a deadlock and a serialization failure are tried again', async () => {
  for (const code of ['40P01', '40001']) {
    expect(await retryConflicts(failing(fault(code), 2))).toBe('written')
  }
})

test('after five tries the error is passed on', async () => {
  const write = failing(fault('40P01'), 9)
  await expect(retryConflicts(write)).rejects.toThrow('40P01')
  expect(write.calls).toBe(5)
})

test('a lock that was not to be had in time is waited for again, longer than deadlocks last', async () => {
  expect(await retryConflicts(failing(fault('55P03'), 6))).toBe('written')
  await expect(retryConflicts(failing(fault('55P03'), 99))).rejects.toThrow('55P03')
})

test('any other error is passed on at once', async () => {
  const write = failing(fault('23505'), 1)
  await expect(retryConflicts(write)).rejects.toThrow('23505')
  expect(write.calls).toBe(1)
})
