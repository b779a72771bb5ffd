import { nkeys } from '@nats-io/transport-node'

/** Who logs in to NATS by a key of its own. */
export interface NatsUser {
  /** As the configuration of a server names it. */
  readonly nkey: string
  /** What it proves itself by. */
  readonly seed: string
}

export function createNatsUser(): NatsUser {
  const user = nkeys.createUser()
  return { nkey: user.getPublicKey(), seed: new TextDecoder().decode(user.getSeed()) }
}
