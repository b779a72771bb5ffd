import { expect, test } from 'vitest'
import { pathsOf, withoutOwnFrames } from './own-frames.ts'

test('frames of a package are cut by its files and by the sources that its maps name', () => {
  const own = pathsOf(new URL('file:///dist/my%20app/node_modules/@offstage/executor/dist/run/'))
  const stack = [
    'Error: no',
    '    at run (file:///dist/my%20app/jobs.ts:1:1)',
    '    at call (file:///dist/my%20app/node_modules/@offstage/executor/dist/run/runner.js:1:1)',
    '    at call (/dist/my app/node_modules/@offstage/executor/src/run/runner.ts:1:1)',
  ]
  expect(withoutOwnFrames(stack.join('\n'), own)).toBe(stack.slice(0, 2).join('\n'))
})
