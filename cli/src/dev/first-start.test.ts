import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { setup } from '../testing/setup.ts'

const prepare = fileURLToPath(new URL('../../../kit/scripts/prepare-cluster.ts', import.meta.url))
// The program as it is written, not its bundle.
delete process.env.TEST_BUNDLES
const TELL_PEAK = "process.on('exit',()=>console.log('peak:',process.resourceUsage().maxRSS,'kB'))"

test('the first start on an empty folder, with a job, peaks below 700 MB', async () => {
  // As make setup does: nothing where it is there.
  await promisify(execFile)(process.execPath, [prepare])
  const peakOption = `--import=data:text/javascript,${encodeURIComponent(TELL_PEAK)}`
  await using it = await setup({ NODE_OPTIONS: peakOption })
  const done = await it.offstage('start', 'test.greet', '{"name":"Ann"}', '--wait')
  expect(done.code).toBe(0)
  await it.dev.kill('SIGTERM')
  const [, peak] = /^peak: (\d+) kB$/m.exec(it.dev.stdout) ?? []
  expect(Number(peak)).toBeGreaterThan(50_000)
  expect(Number(peak)).toBeLessThan(700_000)
})
