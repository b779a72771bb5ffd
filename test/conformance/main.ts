/** `make conformance`: holds an executor in any language against the protocol, and ends with 1 where it fails. */
import { runSuite } from './suite.ts'

const { EXECUTOR: executor = '', SCENARIOS: wanted = '' } = process.env
if (executor === '') {
  console.error(
    "EXECUTOR must be the command that runs your executor: make conformance EXECUTOR='python3 my_executor.py'",
  )
  process.exit(64)
}
const only = wanted === '' ? undefined : wanted.split(',').map((each) => each.trim())
let passed = 0
let failed = 0
let written = ''
for await (const { number, title, fault, output } of runSuite({ executor, only })) {
  console.log(`${fault === undefined ? 'passed' : 'FAILED'}  ${number}  An executor ${title}.`)
  if (fault === undefined) {
    passed += 1
    continue
  }
  failed += 1
  console.log(`        ${fault.replaceAll('\n', '\n        ')}`)
  if (output !== '' && output !== written)
    console.log(`        it wrote:\n${output.trimEnd().replace(/^/gm, '          ')}`)
  written = output
}
console.log(`${passed} passed, ${failed} failed`)
if (passed + failed === 0) console.error(`SCENARIOS names none there is: ${wanted}`)
process.exit(failed > 0 || passed === 0 ? 1 : 0)
