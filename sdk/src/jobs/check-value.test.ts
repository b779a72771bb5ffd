import { expect, test } from 'vitest'
import { z } from 'zod'
import { checkValue } from './check-value.ts'

test('a valid value comes back as the schema gives it', () => {
  const schema = z.object({ top: z.number().default(20) })
  expect(checkValue(schema, {}, 'params')).toEqual({ kind: 'valid', value: { top: 20 } })
})

test('each offending field is named by its path', () => {
  const schema = z.object({ items: z.array(z.object({ name: z.string() })), top: z.number() })
  const checked = checkValue(schema, { items: [{ name: 1 }] }, 'params')
  expect(checked).toMatchObject({
    kind: 'invalid',
    violations: [{ field: 'params.items.0.name' }, { field: 'params.top' }],
  })
})

test('a value wrong as a whole is named by the root', () => {
  expect(checkValue(z.object({}), 3, 'result')).toMatchObject({
    kind: 'invalid',
    violations: [{ field: 'result' }],
  })
})

test('an asynchronous schema is waited for', async () => {
  const schema = z.string().refine(async (text) => text === 'yes', 'must be yes')
  const standard = schema['~standard']
  const asynchronous = {
    '~standard': { ...standard, validate: async (value: unknown) => standard.validate(value) },
  }
  expect(await checkValue(asynchronous, 'no', 'params')).toEqual({
    kind: 'invalid',
    violations: [{ field: 'params', description: 'must be yes' }],
  })
})
