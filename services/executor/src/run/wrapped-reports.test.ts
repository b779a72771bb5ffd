import type { Wrapper } from '@offstage/sdk/jobs'
import { expect, test } from 'vitest'
import { WrappedReports } from './wrapped-reports.ts'

const same: Wrapper = { name: 'same', wrap: (bytes) => ({ bytes }), unwrap: (bytes) => bytes }
const NONCE = Buffer.alloc(12)
const wrapping = (wrapper: Wrapper) =>
  new WrappedReports({ wrappers: [wrapper], wrapReports: true })
const FAULT = { brief: 'b', detail: 'd', reason: 'R', retryable: true }

test('without a codec that says so, what is told stays what it is', () => {
  for (const codec of [undefined, 'cbor' as const, { wrappers: [same] }]) {
    const reports = new WrappedReports(codec)
    const told = { text: 'x' }
    expect(reports.told(told)).toBe(told)
    expect(reports.heartbeat('1')).toBe('1')
    expect(reports.fault(FAULT)).toBe(FAULT)
  }
})

test('the longest text there may be fits once it is wrapped, and so does the longest detail', () => {
  const reports = wrapping(same)
  const text = '☃'.repeat(4_000)
  expect(JSON.stringify(reports.told({ text }).extra).length).toBeLessThan(16 * 1024)
  const fault = reports.fault({ ...FAULT, brief: '☃'.repeat(1_000), detail: '☃'.repeat(11_000) })
  expect(fault.detail.length).toBeGreaterThan(20_000)
  expect(fault.detail.length).toBeLessThan(32 * 1024)
})

test('what is too large once it is wrapped is refused, naming it', () => {
  const reports = wrapping(same)
  const extra = { list: 'x'.repeat(15_000) }
  expect(() => reports.told({ text: '', extra })).toThrow(/^extra is over 16384 bytes/)
  const larger = {
    ...same,
    wrap: (bytes: Uint8Array) => ({ bytes: Buffer.concat([bytes, NONCE]) }),
  }
  const data = JSON.stringify('x'.repeat(65_530))
  expect(() => wrapping(larger).heartbeat(data)).toThrow(/^data has 65545 bytes once/)
})

test('of an error that cannot be wrapped there is its reason, and nothing it says', () => {
  const broken: Wrapper = { ...same, wrap: () => expect.fail('no key') }
  const slow: Wrapper = { ...same, wrap: async (bytes) => ({ bytes }) }
  for (const wrapper of [broken, slow]) {
    const { brief, ...rest } = wrapping(wrapper).fault(FAULT)
    expect(rest).toEqual({ detail: '', reason: 'R', retryable: true })
    expect(brief).toContain('is wrapped')
  }
})
