import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeFolder } from './make-folder.ts'

test('a folder and those above it are made, and made again without harm', () => {
  const root = mkdtempSync(join(tmpdir(), 'offstage-folder-'))
  const path = join(root, 'a/b/c')
  makeFolder(path)
  makeFolder(path)
  expect(statSync(path).isDirectory()).toBe(true)
  rmSync(root, { recursive: true })
})

test('where a file is in the way, or nothing can be made, it fails at once', () => {
  const root = mkdtempSync(join(tmpdir(), 'offstage-folder-'))
  writeFileSync(join(root, 'file'), '')
  expect(() => makeFolder(join(root, 'file/a'))).toThrow('ENOTDIR')
  expect(() => makeFolder('/dev/null/a')).toThrow('ENOTDIR')
  rmSync(root, { recursive: true })
})
