/** Runs the examples of the guide on exclusive mode, in TypeScript and in a shell, against services with the method they speak of. */
import { expect, test } from 'vitest'
import { blocksOf } from '../code-blocks.ts'
import { openPlayground } from './testing/playground.ts'

const GUIDE = 'docs/guides/exclusive-mode.md'

const JOB = `
import { defineJob } from '@offstage/sdk/jobs'
export const delays = defineJob({
  method: 'reports.delays',
  run: (_job, { month }) => 'delays of ' + month,
})
`

test('the examples of the guide on exclusive mode do what they say', async () => {
  const [example = ''] = await blocksOf(GUIDE, 'ts')
  await using playground = await openPlayground({ 'job.ts': JOB, 'example.ts': example }, [
    'job.ts',
  ])
  expect(await playground.run('example.ts')).toBe('delays of 2027-01\nNAMESPACE_EXCLUSIVE\nfalse\n')

  const [lines = ''] = await blocksOf(GUIDE, 'sh')
  // What was entered is told to end, as by Ctrl-C.
  const script = [lines, 'kill $!', 'wait $! || true'].join('\n')
  expect(await playground.shell(script, { env: { OFFSTAGE_USER: '' } })).toMatch(
    /^OWNER +SINCE +UNTIL\n\S+ +\S+Z +\S+Z\n"delays of 2027-01"\nleft\n$/,
  )
}, 180_000)
