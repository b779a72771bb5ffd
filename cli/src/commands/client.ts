import { address, ConfigError, readConfig, variable } from '@offstage/kit/config'
import { checkClientTls, clientTlsFields, tlsFields } from '@offstage/kit/tls'
import { type ConnectOptions, Offstage } from '@offstage/sdk'
import type { Command } from 'commander'

/** Longer than an answer takes; whoever watches the terminal is told that there is none yet. */
const LATE_MS = 2_000

const addresses = {
  scheduler: variable('OFFSTAGE_SCHEDULER', address.optional(), { description: 'the scheduler' }),
  storage: variable('OFFSTAGE_STORAGE', address.optional(), { description: 'the storage service' }),
}

/**
 * The options of the whole program that say where the services are and who calls, with the variables where they
 * say nothing of an address. Throws a ConfigError naming the variable whose address is none, or whose file cannot be used.
 */
export function connectOptions(command: Command): ConnectOptions {
  const { scheduler, storage, namespace, user } = command.optsWithGlobals<ConnectOptions>()
  const read = readConfig(addresses, {
    OFFSTAGE_SCHEDULER: scheduler ?? process.env.OFFSTAGE_SCHEDULER,
    OFFSTAGE_STORAGE: storage ?? process.env.OFFSTAGE_STORAGE,
  })
  readConfig({ ...tlsFields, ...clientTlsFields }, process.env, (tls) => checkClientTls(tls, {}))
  checkToken()
  return { ...read, namespace, user }
}

/** Connects as the command line says. Throws an OffstageError naming the address that cannot be reached. */
export function connect(command: Command): Promise<Offstage> {
  return Offstage.connect(connectOptions(command))
}

/** Waits for the answer to a call, and says on standard error where it is late. */
export async function answered<T>(call: Promise<T>): Promise<T> {
  const timer = setTimeout(() => tell('no answer yet from the services; retrying'), LATE_MS)
  try {
    return await call
  } finally {
    clearTimeout(timer)
  }
}

/** All that a listing iterates over. */
export async function allOf<T>(listing: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const one of listing) all.push(one)
  return all
}

/** One line for the person at the terminal, apart from what a command prints for programs. */
export function tell(line: string): void {
  process.stderr.write(`${line}\n`)
}

/** Which of the two would be sent, nobody should have to guess. */
function checkToken(): void {
  const { OFFSTAGE_TOKEN, OFFSTAGE_TOKEN_FILE } = process.env
  if (!OFFSTAGE_TOKEN || !OFFSTAGE_TOKEN_FILE) return
  const problem = 'is set although OFFSTAGE_TOKEN is; set one of them'
  throw new ConfigError([{ variable: 'OFFSTAGE_TOKEN_FILE', problem }])
}
