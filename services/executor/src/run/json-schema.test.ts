import { expect, test } from 'vitest'
import { z } from 'zod'
import { jsonSchemaOf } from './json-schema.ts'

const written = (schema: z.ZodType) => {
  const { $schema, ...rest } = JSON.parse(jsonSchemaOf(schema, 'input')) as Record<string, unknown>
  expect($schema).toBe('https://json-schema.org/draft/2020-12/schema')
  return rest
}

test('what a schema says is announced', () => {
  const schema = z.object({ name: z.string().min(2), top: z.number().default(20) })
  expect(written(schema)).toMatchObject({
    properties: { name: { type: 'string', minLength: 2 }, top: { type: 'number' } },
    required: ['name'],
  })
})

test.each<[string, z.ZodType, unknown]>([
  ['coerced', z.object({ n: z.coerce.number() }), { n: '5' }],
  ['trimmed', z.string().trim().max(3), ' abc '],
  ['lowered', z.string().toLowerCase().regex(/^a$/), 'A'],
  ['of either case', z.string().regex(/^abc$/i), 'ABC'],
  ['made into something', z.preprocess((given) => Number(given), z.number()), '5'],
  ['replaced where wrong', z.object({ n: z.number().catch(1) }), { n: 'x' }],
  ['replaced where missing', z.object({ n: z.number().catch(1) }), {}],
  ['coerced, then transformed', z.object({ n: z.coerce.number().transform(String) }), { n: '5' }],
])('what a handler takes fits what is announced: %s', async (_, schema, given) => {
  expect(schema.safeParse(given).success).toBe(true)
  const { Checks } = await import('../../../scheduler/src/schemas/checks.ts')
  const text = jsonSchemaOf(schema, 'input')
  expect(new Checks().violationsOf(text, given, 10)).toBeUndefined()
})

test('a schema that JSON Schema cannot say is announced as none', () => {
  expect(jsonSchemaOf(z.object({ at: z.date() }), 'input')).toBe('')
  expect(jsonSchemaOf(undefined, 'input')).toBe('')
})
