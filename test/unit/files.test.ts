import { expect, test } from 'vitest'
import { isUnit, unitFiles } from './files.ts'

test.each([
  "import { setup } from './testing/setup.ts'",
  "import { startPostgres } from '@offstage/testkit'",
  "import { openPglite } from '@offstage/kit/database'",
  "import { execFile } from 'node:child_process'",
  "vi.mock('./clock.ts')",
  "vi.stubGlobal('performance', clock)",
  "process.env.OFFSTAGE_TLS = 'off'",
])('a test that says %j has a process of its own', (text) => {
  expect(isUnit(text)).toBe(false)
})

test('tests of what is pure share one', () => {
  expect(isUnit("import { retryDelayMs } from './retry-policy.ts'")).toBe(true)
  const files = unitFiles()
  expect(files).toContain('services/scheduler/src/domain/retry-policy.test.ts')
  expect(files).not.toContain('test/leases.test.ts')
  expect(files.length).toBeGreaterThan(80)
})
