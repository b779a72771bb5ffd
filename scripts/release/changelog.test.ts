import { expect, test } from 'vitest'
import { cutChangelog } from './changelog.ts'

const TEXT =
  '# Changelog\n\nBy effect.\n\n## Unreleased\n\n- New.\n\n## 0.1.0 (2026-01-02)\n\n- Old.\n'

test('what was unreleased gets the version and the day, and the section begins anew', () => {
  expect(cutChangelog(TEXT, '0.2.0', '2026-03-04')).toBe(
    TEXT.replace('## Unreleased\n', '## Unreleased\n\n## 0.2.0 (2026-03-04)\n'),
  )
})

test('a release without news, or of a version that is there, is refused', () => {
  expect(() => cutChangelog(TEXT.replace('- New.\n', ''), '0.2.0', '2026-03-04')).toThrow('nothing')
  expect(() => cutChangelog(TEXT, '0.1.0', '2026-03-04')).toThrow('0.1.0 already')
  expect(() => cutChangelog('# Changelog\n', '0.2.0', '2026-03-04')).toThrow('no "## Unreleased"')
})
