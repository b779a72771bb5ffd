import { NotRun } from '../cluster.ts'
import { callerPod } from '../manifests.ts'
import type { Stage } from '../stage.ts'
import type { Scenario } from '../verdicts.ts'

const PORTS = { scheduler: 7701, storage: 7702, postgres: 5432, nats: 4222 } as const
type Dialled = keyof typeof PORTS

/** Of each that dials: what it may, and what it may not. */
const ALLOWED: Readonly<Record<string, readonly Dialled[]>> = {
  client: ['scheduler', 'storage'],
  executor: ['scheduler', 'storage'],
  scheduler: ['postgres', 'nats'],
  storage: ['postgres', 'nats', 'scheduler'],
  stranger: [],
}

const DIAL = `
  import { connect } from 'node:net'
  const dial = ([host, port]) => new Promise((done) => {
    const socket = connect({ host, port, timeout: 3_000 }, () => end(true))
    const end = (open) => { socket.destroy(); done(open) }
    socket.on('error', () => end(false)).on('timeout', () => end(false))
  })
  console.log(JSON.stringify(await Promise.all(JSON.parse(process.argv[1]).map(dial))))`

export const network: Scenario = {
  name: 'network',
  async run(stage) {
    const image = stage.images.scheduler
    const command = ['node', '-e', 'setInterval(() => {}, 1e9)']
    const pod = { image, command, account: 'default' as const }
    await stage.apply(callerPod({ ...pod, name: 'stranger', isClient: false }))
    await stage.podReady('stranger')
    const dials = {
      allowed: 0,
      open: 0,
      denied: 0,
      through: [] as string[],
      closed: [] as string[],
    }
    for (const [who, allowed] of Object.entries(ALLOWED)) {
      const open = await dialAll(stage, await podOf(stage, who))
      for (const [whom, isOpen] of Object.entries(open)) {
        const isAllowed = allowed.includes(whom as Dialled)
        dials[isAllowed ? 'allowed' : 'denied'] += 1
        if (isAllowed && !isOpen) dials.closed.push(`${who} → ${whom}`)
        if (!isAllowed && isOpen) dials.through.push(`${who} → ${whom}`)
      }
    }
    return judge(dials.allowed, dials.denied, dials.closed, dials.through)
  },
}

function judge(allowed: number, denied: number, closed: string[], through: string[]): string {
  if (closed.length > 0) throw new Error(`allowed, and not let through: ${closed.join(', ')}`)
  const let_ = `${allowed} dials that are allowed came through`
  if (through.length === 0) return `${let_}, ${denied} that are not were held back`
  if (through.length === denied)
    throw new NotRun(`nobody enforces policies here: ${let_}, and all ${denied} others, too`)
  throw new Error(`not allowed, and let through: ${through.join(', ')}`)
}

async function podOf(stage: Stage, who: string): Promise<string> {
  if (who === 'client') return 'caller'
  if (who === 'stranger') return who
  return (await stage.readyPod(who as 'scheduler' | 'storage' | 'executor')).name
}

async function dialAll(stage: Stage, pod: string): Promise<Record<string, boolean>> {
  const targets = Object.entries(PORTS)
  const open = await stage.node<boolean[]>(pod, DIAL, JSON.stringify(targets))
  return Object.fromEntries(targets.map(([whom], at) => [whom, open[at] === true]))
}
