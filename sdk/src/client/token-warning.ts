import type { Calls } from './calls.ts'

let told = false

/** Tells once in the life of the process where the services do not look at the token they are sent. */
export function warnOfUnreadToken({ connection, identity }: Calls): void {
  if (told || !identity.credential.sendsToken || !connection.isDevelopment) return
  told = true
  const { address } = connection.scheduler
  process.emitWarning(
    `the token is not read: the services at ${address} run in development mode, where everybody is an administrator, ` +
      'named by OFFSTAGE_USER or else "dev"',
    { type: 'OffstageWarning', code: 'TOKEN_NOT_READ' },
  )
}
