import { expect, test } from 'vitest'
import { blocksOf } from '../code-blocks.ts'
import { hasPrograms } from './testing/has-programs.ts'
import { openPlayground, ROOT } from './testing/playground.ts'
import { scriptOf } from './testing/script-of.ts'

const PAGE = 'docs/guides/plain-grpc.md'

/** Go and Python are fetched what they need the first time; it is kept under .offstage. */
const TIMEOUT_MS = 600_000

/** What the page asks to be saved, by the language of the block. */
const SAVED_AS: Readonly<Record<string, string>> = { python: 'client.py', go: 'main.go' }

test.runIf(hasPrograms('go', 'python3'))(
  'every command of the page on plain gRPC works, one after the other',
  { timeout: TIMEOUT_MS },
  async () => {
    const [hello = ''] = await blocksOf('README.md', 'ts')
    await using playground = await openPlayground({ 'hello.ts': hello }, ['hello.ts'])
    const { OFFSTAGE_SCHEDULER, OFFSTAGE_STORAGE } = playground.places
    const script = (await scriptOf(PAGE, SAVED_AS))
      .replaceAll('127.0.0.1:7701', OFFSTAGE_SCHEDULER)
      .replaceAll('127.0.0.1:7702', OFFSTAGE_STORAGE)
    const stdout = await playground.shell(script, { cwd: ROOT, timeoutMs: TIMEOUT_MS })
    expect(stdout).toContain('offstage.jobs.v1.JobService')
    expect(stdout).toContain('"status": "SERVING"')
    expect(stdout).toContain('"state": "JOB_STATE_SUCCEEDED"')
    expect(stdout).toContain('"satisfied": true')
    expect(stdout).toMatch(/"counts": \[\s+\{\s+"state": "JOB_STATE_SUCCEEDED",\s+"count": "1"/)
    expect(stdout).toMatch(/"executors": \[.*"methods": \[.*"greetings\.greet"/s)
    expect(stdout).toMatch(/"address": "val_[0-9a-f]{32}"/)
    expect(stdout).toMatch(/refused, exit code \d+/)
    expect(stdout).toMatch(/^Hello Grace, this is job [0-9a-f-]{36}$/m)
    expect(stdout).toMatch(/^the large result is at val_[0-9a-f]{32}$/m)
    expect(stdout).toMatch(
      /'code': 'NOT_FOUND', 'reason': 'METHOD_UNKNOWN', .*'method': 'greetings\.great'/,
    )
    expect(stdout).toMatch(/'violations': \[\('method', /)
    expect(stdout).toMatch(/^"Hello Rob, this is job [0-9a-f-]{36}"$/m)
    expect(stdout).toContain('refused: METHOD_UNKNOWN')
  },
)
