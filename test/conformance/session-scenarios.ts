import type { Attachment } from './attachment.ts'
import type { Scenario } from './scenario.ts'
import { NAMESPACE } from './stage.ts'
import { awaited, must, mustBe } from './verdict.ts'

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
/** What docs/executor-protocol.md asks for. */
const METHODS = ['echo', 'greet', 'nothing', 'report', 'fail', 'large', 'remember', 'hold', 'deaf']
const LEASE_MS = 900
const BEATS = 3

/** The shorter of two: a machine that stands still for a moment is no fault of the executor. */
async function usualPause({ heardAt }: Attachment): Promise<number> {
  const before = heardAt.length
  await awaited('heartbeats', () => heardAt.length >= before + BEATS || undefined)
  const beats = heardAt.slice(before)
  const pauses = beats.flatMap((at, index) => (index > 0 ? [at - (beats[index - 1] ?? at)] : []))
  return Math.min(...pauses)
}

export const sessionScenarios: readonly Scenario[] = [
  {
    number: '1.1',
    title: 'says hello first: a session id, its namespace, its methods and its lanes',
    async run(stage) {
      const { hello } = await stage.scheduler.attachment(1)
      must(UUID.test(hello.sessionId), `a session id must be a UUID, not "${hello.sessionId}"`)
      mustBe('`namespace`', hello.namespace, NAMESPACE)
      mustBe('`running` of a new session', hello.running, [])
      const names = hello.methods.map(({ name }) => name)
      mustBe('the names of methods that come twice', names.length, new Set(names).size)
      for (const method of METHODS) {
        must(names.includes(`conformance.${method}`), `the method conformance.${method} is missing`)
      }
      const lanes = hello.lanes.map(({ lane }) => lane)
      mustBe('the lanes that come twice', lanes.length, new Set(lanes).size)
      must((await stage.attached()).slots() >= 4, 'the lane INLINE must have four slots or more')
    },
  },
  {
    number: '1.2',
    title: 'announces the schemas of its parameters as JSON',
    async run(stage) {
      const { hello } = await stage.scheduler.attachment(1)
      const greet = hello.methods.find(({ name }) => name === 'conformance.greet')
      const schema = JSON.parse(greet?.paramsSchema || 'null')
      mustBe('`required` of the schema of conformance.greet', schema?.required, ['name'])
      for (const { name, paramsSchema } of hello.methods) {
        const type = paramsSchema === '' ? 'object' : typeof JSON.parse(paramsSchema)
        must(type === 'object' || type === 'boolean', `the schema of ${name} must be an object`)
      }
    },
  },
  {
    number: '1.3',
    title: 'gives a credit for each free slot, and no more',
    async run(stage) {
      await stage.idle()
    },
  },
  {
    number: '1.4',
    title: 'is heard from well within the lease while nothing happens, and while handlers run',
    async run(stage) {
      const attachment = await stage.reattached(LEASE_MS)
      const idle = await usualPause(attachment)
      must(idle < LEASE_MS, `with a lease of ${LEASE_MS} ms it speaks every ${idle} ms`)
      const attempt = await stage.holding()
      const busy = await usualPause(attachment)
      must(busy < LEASE_MS, `with a lease of ${LEASE_MS} ms it speaks every ${busy} ms at work`)
      attempt.release()
      await attachment.result(attempt)
      await stage.reattached(30_000)
    },
  },
]
