import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test, vi } from 'vitest'
import { programOf } from './program-of.ts'

const main = fileURLToPath(new URL('../../cli/src/main.ts', import.meta.url))

afterEach(() => vi.unstubAllEnvs())

test('a program is run as it is written, unless there are bundles with one of it', () => {
  const folder = mkdtempSync(join(tmpdir(), 'offstage-bundles-'))
  try {
    vi.stubEnv('TEST_BUNDLES', undefined)
    expect(programOf(main)).toBe(main)
    vi.stubEnv('TEST_BUNDLES', folder)
    expect(programOf(main)).toBe(main)
    const bundle = join(folder, 'cli/src/main.js')
    mkdirSync(join(folder, 'cli/src'), { recursive: true })
    writeFileSync(bundle, '')
    expect(programOf(main)).toBe(bundle)
    expect(programOf(join(tmpdir(), 'main.ts'))).toBe(join(tmpdir(), 'main.ts'))
  } finally {
    rmSync(folder, { recursive: true })
  }
})
