import { expect, test } from 'vitest'
import { runsTogether, togetherFiles } from './files.ts'

test.each([
  "import { startPostgres } from '@offstage/testkit'",
  "import { execFile } from 'node:child_process'",
  "vi.mock('./clock.ts')",
  "vi.stubGlobal('performance', clock)",
  "process.env.OFFSTAGE_TLS = 'off'",
])('a test that says %j has a process of its own', (text) => {
  expect(runsTogether('services/scheduler/src/x.test.ts', text)).toBe(false)
})

test('fixtures share a process where they are of one process', () => {
  const text = "import { setup } from './testing/setup.ts'"
  expect(runsTogether('services/scheduler/src/x.test.ts', text)).toBe(true)
  expect(runsTogether('services/executor/src/x.test.ts', text)).toBe(false)
})

test('tests of what is pure share one', () => {
  expect(togetherFiles()).toContain('services/scheduler/src/domain/retry-policy.test.ts')
  expect(togetherFiles()).not.toContain('test/leases.test.ts')
  expect(togetherFiles().length).toBeGreaterThan(100)
})
