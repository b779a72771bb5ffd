import { describe, expectTypeOf, test } from 'vitest'
import { createValuesStore, type DeepReadonly, type Reusable, reusable } from './mod.ts'

interface Row {
  id: number
  at: Date
  tags: string[]
  pair: [number, { deep: boolean }]
  by: Record<string, { n: number }>
  note?: string | null
}
interface FrozenRow {
  readonly id: number
  readonly at: Date
  readonly tags: readonly string[]
  readonly pair: readonly [number, { readonly deep: boolean }]
  readonly by: { readonly [x: string]: { readonly n: number } }
  readonly note?: string | null
}
class Account {
  #balance = 0
  balance() {
    return this.#balance
  }
}
interface Tree {
  children: Tree[]
}
type Brand = string & { readonly __brand: 'id' }

const row = (): Row => ({ id: 1, at: new Date(), tags: [], pair: [1, { deep: true }], by: {} })

describe('what callers get is readonly as far as it is frozen', () => {
  using store = createValuesStore()

  test('all the way down by default, promised or not', () => {
    const now = reusable((_id: number) => row(), { name: 'now', store })
    const later = reusable(async (_id: number) => [row()], { name: 'later', store })
    expectTypeOf(now).returns.toEqualTypeOf<FrozenRow>()
    expectTypeOf(now).parameters.toEqualTypeOf<[_id: number]>()
    expectTypeOf(later).returns.toEqualTypeOf<Promise<readonly FrozenRow[]>>()
    expectTypeOf(later).toExtend<Reusable<[number], Promise<readonly FrozenRow[]>>>()
    // @ts-expect-error: it is frozen
    const write = () => now(1).tags.push('a')
    const set = () => {
      // @ts-expect-error: it is frozen
      now(1).pair[1].deep = false
    }
    expectTypeOf([write, set]).not.toBeAny()
  })

  test('only outside with freeze: shallow, nowhere with none, and either with a mode known later', () => {
    const shallow = reusable(() => row(), { name: 'shallow', store, freeze: 'shallow' })
    const none = reusable(async () => row(), { name: 'none', store, freeze: 'none', maxAgeMs: 5 })
    const mode = 'none' as 'none' | 'deep'
    const either = reusable(() => [1], { name: 'either', store, freeze: mode })
    expectTypeOf(shallow).returns.toEqualTypeOf<Readonly<Row>>()
    expectTypeOf(none).returns.toEqualTypeOf<Promise<Row>>()
    expectTypeOf(either).returns.toEqualTypeOf<number[] | readonly number[]>()
  })

  test('tags and bytesOf get the value and the parameters as the function has them', () => {
    reusable(async (_id: number, _name: string) => row(), {
      name: 'options',
      store,
      tags: (value, id, name) => {
        expectTypeOf(value).toEqualTypeOf<Row>()
        expectTypeOf([id, name] as const).toEqualTypeOf<readonly [number, string]>()
        return []
      },
    })
  })
})

test('scalars, functions and what has methods stay what they are', () => {
  expectTypeOf<DeepReadonly<Brand>>().toEqualTypeOf<Brand>()
  expectTypeOf<DeepReadonly<1 | 'a' | undefined>>().toEqualTypeOf<1 | 'a' | undefined>()
  expectTypeOf<DeepReadonly<() => Row>>().toEqualTypeOf<() => Row>()
  expectTypeOf<DeepReadonly<typeof Account>>().toEqualTypeOf<typeof Account>()
  expectTypeOf<DeepReadonly<Account>>().toEqualTypeOf<Account>()
  expectTypeOf<DeepReadonly<Map<string, Row>>>().toEqualTypeOf<Map<string, Row>>()
  expectTypeOf<DeepReadonly<Set<Row> | Date>>().toEqualTypeOf<Set<Row> | Date>()
  expectTypeOf<DeepReadonly<Uint8Array>>().toEqualTypeOf<Uint8Array>()
  expectTypeOf<DeepReadonly<Error>>().toEqualTypeOf<Error>()
})

test('any, unknown, never, void and types that contain themselves do not break it', () => {
  expectTypeOf<DeepReadonly<unknown>>().toEqualTypeOf<unknown>()
  expectTypeOf<DeepReadonly<never>>().toBeNever()
  expectTypeOf<DeepReadonly<void>>().toBeVoid()
  // biome-ignore lint/suspicious/noExplicitAny: what is tested
  type Any = any
  expectTypeOf<DeepReadonly<Any>>().toBeAny()
  expectTypeOf<DeepReadonly<{ a: Any; b: unknown[] }>>().toEqualTypeOf<{
    readonly a: Any
    readonly b: readonly unknown[]
  }>()
  expectTypeOf<DeepReadonly<Tree>['children'][0]['children']>().toEqualTypeOf<
    readonly DeepReadonly<Tree>[]
  >()
  expectTypeOf<DeepReadonly<string[] | { a: number[] }>>().toEqualTypeOf<
    readonly string[] | { readonly a: readonly number[] }
  >()
})
