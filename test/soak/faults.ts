import { setTimeout as pause } from 'node:timers/promises'
import type { Chance } from '@offstage/testkit'
import type { Cluster, ClusterMember } from '../cluster/cluster.ts'

export interface TroubleOptions {
  readonly cluster: Cluster
  readonly chance: Chance
  readonly leaseMs: number
  readonly forMs: number
  /** Told of each fault as it begins. */
  tell(fault: string): void
}

/** Of a failure; errors of processes bring along what those have said. */
const TOLD_CHARACTERS_MAX = 500

async function killAndRestart(member: ClusterMember, awayMs: number): Promise<void> {
  await member.process.kill('SIGKILL')
  await pause(awayMs)
  await member.restart()
}

async function drainAndRestart(member: ClusterMember): Promise<void> {
  const exit = await member.process.kill('SIGTERM')
  await member.restart()
  if (exit.code !== 0) throw new Error(`a drain ended with ${JSON.stringify(exit)}`)
}

async function freeze({ process: child }: ClusterMember, forMs: number): Promise<void> {
  process.kill(child.pid, 'SIGSTOP')
  await pause(forMs)
  process.kill(child.pid, 'SIGCONT')
}

/**
 * One fault after another until the time is up; each is over when the next begins. The first member of each service is frozen
 * and never ended, so that what it holds can be looked at from beginning to end. Resolves to what went otherwise than it should.
 */
export async function makeTrouble(options: TroubleOptions): Promise<string[]> {
  const { cluster, chance, leaseMs, forMs, tell } = options
  const { schedulers, executors, storages, postgres, nats } = cluster
  const mortal = (members: readonly ClusterMember[]) => chance.one(members.slice(1))
  const away = () => chance.within(0, 1_500)
  const faults: Readonly<Record<string, () => Promise<void>>> = {
    'a scheduler is killed': () => killAndRestart(mortal(schedulers), away()),
    'an executor is killed': () => killAndRestart(mortal(executors), away()),
    'a storage is killed': () => killAndRestart(mortal(storages), away()),
    'a scheduler drains': () => drainAndRestart(mortal(schedulers)),
    'an executor drains': () => drainAndRestart(mortal(executors)),
    // For longer than the leases of its executors, which attach to the other one.
    'a scheduler freezes': () => freeze(chance.one(schedulers), chance.within(200, 4 * leaseMs)),
    'an executor freezes': () => freeze(chance.one(executors), chance.within(200, 2 * leaseMs)),
    'a storage freezes': () => freeze(chance.one(storages), chance.within(200, leaseMs)),
    async 'PostgreSQL stands still'() {
      await postgres.pause()
      await pause(chance.within(200, 1.5 * leaseMs))
      await postgres.resume()
    },
    async 'PostgreSQL is killed'() {
      await postgres.kill()
      await pause(chance.within(0, leaseMs))
      await postgres.start()
    },
    async 'NATS is killed'() {
      await nats.stop('SIGKILL')
      await pause(chance.within(0, 3 * leaseMs))
      await nats.start()
    },
  }
  const failures: string[] = []
  const end = performance.now() + forMs
  while (performance.now() < end) {
    const [name, make] = chance.one(Object.entries(faults))
    tell(name)
    await make().catch((error) => failures.push(`${name}: ${error}`.slice(0, TOLD_CHARACTERS_MAX)))
    await pause(chance.within(100, 800))
  }
  return failures
}
