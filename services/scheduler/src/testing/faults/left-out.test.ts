import { existsSync, globSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { faultyFiles, ROOT } from './files.ts'
import { LEFT_OUT, LEFT_OUT_FILES } from './left-out.ts'

test('what is left out under faults is there, and says why', () => {
  const texts = faultyFiles({ all: true }).map((file) => readFileSync(`${ROOT}${file}`, 'utf8'))
  for (const [title, why] of Object.entries(LEFT_OUT)) {
    expect(
      texts.filter((text) => text.includes(title)),
      title,
    ).toHaveLength(1)
    expect(why, title).toMatch(/\w{3}/)
  }
  for (const [file, why] of Object.entries(LEFT_OUT_FILES)) {
    expect(existsSync(`${ROOT}services/scheduler/src/${file}.test.ts`), file).toBe(true)
    expect(why, file).toMatch(/\w{3}/)
  }
})

test('what always runs under faults is among what may', () => {
  const all = faultyFiles({ all: true })
  for (const file of faultyFiles({ all: false })) expect(all).toContain(file)
})

test('every client of these tests asks again what met a fault', () => {
  const files = globSync('services/scheduler/src/**/*.ts', { cwd: ROOT })
  const count = (text: string, pattern: RegExp) => text.match(pattern)?.length ?? 0
  const careless = files.filter((file) => {
    const text = readFileSync(`${ROOT}${file}`, 'utf8')
    return count(text, /new [\w.]*ServiceClient\(/g) > count(text, /\bclientOptions\(\)/g)
  })
  expect(careless).toEqual([])
})
