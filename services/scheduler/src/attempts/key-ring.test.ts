import { expect, test } from 'vitest'
import { KeyRing } from './key-ring.ts'
import { newStoredKey, type SigningKey, signingKeyFromPem } from './signing-key.ts'

function newKey(): SigningKey {
  const { id, privateKey } = newStoredKey()
  return signingKeyFromPem(id, privateKey)
}

function setup(options: { freshMs?: number; gapMs?: number } = {}) {
  const keys = [newKey()]
  const troubles: unknown[] = []
  const state = { loads: 0, fault: undefined as Error | undefined }
  const ring = new KeyRing({
    gapMs: 0,
    ...options,
    load: async () => {
      state.loads += 1
      const found = [...keys]
      await new Promise(setImmediate)
      if (state.fault !== undefined) throw state.fault
      return found
    },
    onTrouble: (error) => troubles.push(error),
  })
  return { ring, keys, state, troubles }
}

test('a key that was made during a read is found all the same', async () => {
  const { ring, keys } = setup()
  const reading = ring.all()
  await new Promise(setImmediate)
  const made = newKey()
  keys.unshift(made)
  expect(await ring.find(made.id)).toBe(made.publicKey)
  await reading
})

test('a flood of unknown keys shares its reads', async () => {
  const { ring, state } = setup({ gapMs: 20 })
  await ring.all()
  const found = await Promise.all(
    Array.from({ length: 1_000 }, (_, at) => ring.find(`forged ${at}`)),
  )
  expect(found.every((key) => key === undefined)).toBe(true)
  expect(state.loads).toBe(2)
})

test('keys that cannot be read again still verify, and sign nothing', async () => {
  const { ring, keys, state, troubles } = setup({ freshMs: 0 })
  const [key] = keys
  expect((await ring.signer()).id).toBe(key?.id)
  state.fault = new Error('away')
  expect(await ring.find(key?.id ?? '')).toBe(key?.publicKey)
  await expect(ring.signer()).rejects.toThrow('away')
  await expect.poll(() => troubles).toHaveLength(1)
  await expect(ring.find('another')).rejects.toThrow('away')
  state.fault = undefined
  expect((await ring.signer()).id).toBe(key?.id)
})
