import { createHash } from 'node:crypto'
import type { Assignment } from '@offstage/proto/executor'
import type { Scenario } from './scenario.ts'
import { newAddress } from './scripted-storage.ts'
import { addressOf, at, failureOf, jsonOf, NAMESPACE, OWNER, type Stage } from './stage.ts'
import { must, mustBe } from './verdict.ts'

const LARGE_BYTES = 70_000
const SCOPE = 'scope-of-ada'

/** What temp storage has at the address of a result, which must be there before the result is told. */
function stored(stage: Stage, result: Parameters<typeof addressOf>[0]) {
  const { address, sha256 } = addressOf(result)
  const value = stage.storage.values.get(address)
  must(value !== undefined, 'a result must be in temp storage before it is told')
  mustBe('`sha256` of a result', sha256, createHash('sha256').update(value.bytes).digest())
  mustBe('the namespace of a stored result', value.header.namespace || 'default', NAMESPACE)
  mustBe('the content type of a stored result', value.header.contentType, 'application/json')
  return { ...value, address }
}

/** In development mode calls say for whom they are; else their token does. */
function mustBeOfOwner(stage: Stage, what: string, user: string | undefined): void {
  if (stage.token === '') mustBe(`\`offstage-user\` of ${what}`, user, OWNER)
}

export const valueScenarios: readonly Scenario[] = [
  {
    number: '3.1',
    title: 'puts a result of more than 64 KiB into temp storage, as its owner',
    async run(stage) {
      const result = await stage.end('large', { bytes: LARGE_BYTES })
      const { bytes, caller } = stored(stage, result)
      mustBe('the length of what is stored', JSON.parse(bytes.toString()).length, LARGE_BYTES)
      mustBeOfOwner(stage, 'storing a result', caller.user)
    },
  },
  {
    number: '3.2',
    title: 'puts a result of any size where the caller wants it',
    async run(stage) {
      const resultAddress = newAddress()
      const result = await stage.end('echo', { small: true }, { resultAddress })
      const { address, bytes } = stored(stage, result)
      mustBe('the address', address, resultAddress)
      mustBe('what is stored', JSON.parse(bytes.toString()), { small: true })
    },
  },
  {
    number: '3.3',
    title: 'puts a large result as the own of its job, whatever the scope of the caller',
    async run(stage) {
      const result = await stage.end('large', { bytes: LARGE_BYTES }, { scope: SCOPE })
      const { forJob, scope } = stored(stage, result).header
      mustBe('`for_job` and `scope` of what is stored', [forJob, scope], [true, ''])
    },
  },
  {
    number: '3.4',
    title: 'reads parameters at an address, as the owner',
    async run(stage) {
      const address = stage.storage.keep({ from: 'storage' })
      const params = at(address)
      const result = await stage.end('echo', undefined, { params })
      mustBe('what conformance.echo returns', jsonOf(result), { from: 'storage' })
      const caller = stage.storage.callers.get(address)
      mustBeOfOwner(stage, 'reading parameters', caller?.user)
    },
  },
  {
    number: '3.5',
    title: 'fails an attempt whose result has no place to go before its handler runs, for good',
    async run(stage) {
      const { gone } = stage.storage
      const resultAddress = newAddress()
      gone.set(resultAddress, 'VALUE_NOT_FOUND').set('scope-gone', 'SCOPE_NOT_FOUND')
      const additional = { wantAdditionalResult: true, additionalResultAddress: resultAddress }
      const places: readonly Partial<Assignment>[] = [
        { resultAddress },
        { scope: 'scope-gone' },
        additional,
      ]
      for (const place of places) {
        const attempt = await stage.assign('hold', undefined, place)
        const failure = failureOf(await (await stage.attached()).result(attempt))
        const reason = gone.get(place.scope ?? resultAddress)
        mustBe('`reason` and `retryable`', [failure.reason, failure.retryable], [reason, false])
        mustBe('what the handler did', attempt.notes(), [])
      }
    },
  },
  {
    number: '3.6',
    title:
      'tells an additional result where one is asked for, at the address it is wanted at, and else none',
    async run(stage) {
      const told = async (bytes: number, more: Partial<Assignment>) => {
        const result = await stage.end('both', { bytes }, more)
        mustBe('what conformance.both returns', jsonOf(result), 'the main one')
        const { additionalResult } = result
        return { source: additionalResult?.source, sha256: additionalResult?.sha256 }
      }
      const wantAdditionalResult = true
      mustBe('an additional result nobody asked for', (await told(3, {})).source, undefined)
      const small = await told(3, { wantAdditionalResult })
      must(small.source?.$case === 'inline', 'a small additional result must be sent in place')
      mustBe('the additional result', JSON.parse(small.source.value.toString()), 'yyy')
      const additionalResultAddress = newAddress()
      for (const more of [{ additionalResultAddress }, {}]) {
        const bytes = more.additionalResultAddress === undefined ? LARGE_BYTES : 3
        const { source, sha256 } = await told(bytes, { wantAdditionalResult, ...more })
        must(source?.$case === 'address', 'such an additional result must be at an address')
        const { value } = source
        mustBe('the address', value, more.additionalResultAddress ?? value)
        const kept = stage.storage.values.get(value)?.bytes ?? Buffer.alloc(0)
        mustBe('what is stored', kept.toString(), JSON.stringify('y'.repeat(bytes)))
        mustBe(
          'its `sha256`',
          Buffer.from(sha256 ?? []),
          createHash('sha256').update(kept).digest(),
        )
      }
    },
  },
]
