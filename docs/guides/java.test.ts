import { expect, test } from 'vitest'
import { blocksOf } from '../code-blocks.ts'
import { hasPrograms } from './testing/has-programs.ts'
import { openPlayground, ROOT } from './testing/playground.ts'
import { scriptOf } from './testing/script-of.ts'

/** Maven fetches what it needs the first time. */
const TIMEOUT_MS = 900_000

test.runIf(hasPrograms('javac', 'mvn'))(
  'a program in Java, made from the proto files alone as the page says, starts a job and watches it',
  { timeout: TIMEOUT_MS },
  async () => {
    const [hello = ''] = await blocksOf('README.md', 'ts')
    await using playground = await openPlayground({ 'hello.ts': hello }, ['hello.ts'])
    const savedAs = { xml: 'pom.xml', java: 'src/main/java/Client.java' }
    const script = await scriptOf('docs/guides/java.md', savedAs)
    const stdout = await playground.shell(script, { cwd: ROOT, timeoutMs: TIMEOUT_MS })
    expect(stdout).toMatch(/JOB_STATE_SUCCEEDED\n"Hello James, this is job [0-9a-f-]{36}"$/m)
    expect(stdout).toContain('refused: METHOD_UNKNOWN')
  },
)
