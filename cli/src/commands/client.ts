import { Offstage } from '@offstage/sdk'
import type { Command } from 'commander'

/** The options of the whole program that say where the services are and who calls. */
interface ClientFlags {
  readonly scheduler?: string
  readonly storage?: string
  readonly namespace?: string
  readonly user?: string
}

/** Connects as the command line says. Throws an OffstageError naming the address that cannot be reached. */
export function connect(command: Command): Promise<Offstage> {
  const { scheduler, storage, namespace, user } = command.optsWithGlobals<ClientFlags>()
  return Offstage.connect({ scheduler, storage, namespace, user })
}
