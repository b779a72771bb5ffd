import { expect, test } from 'vitest'
import { asJson } from './as-json.ts'

test('what JSON has not is shown as well as JSON can', () => {
  const value = {
    at: new Date(0),
    sum: 2n ** 64n,
    bytes: new Uint8Array([1, 2]),
    counts: new Map([[1, new Set(['a'])]]),
    series: new Float64Array([0.5, Number.NaN]),
    none: null,
  }
  expect(JSON.parse(asJson(value))).toEqual({
    at: '1970-01-01T00:00:00.000Z',
    sum: '18446744073709551616',
    bytes: { base64: 'AQI=' },
    counts: [[1, ['a']]],
    series: [0.5, 'NaN'],
    none: null,
  })
})
