/**
 * Signatures are looked at a few at once, of connections in turn: whoever sends one bad token after the other waits for those, and
 * leaves time for everybody else's. Keys are waited for before, so that an issuer who is slow to tell them takes nobody's turn.
 */
import type { JWTVerifyGetKey } from 'jose'
import { Turns } from '../../fairness/mod.ts'
import { Refusal } from '../../grpc/refusal.ts'

/** Fewer than Node has threads for such work, which files and others need too. */
const AT_ONCE = 3
const WAITING_MAX = 2_000

export function signatureTurns(): Turns {
  return new Turns({
    atOnce: AT_ONCE,
    waitingMax: WAITING_MAX,
    refuse: () =>
      new Refusal({
        reason: 'OVERLOADED',
        message: 'too many tokens that are not known yet wait to be looked at',
        metadata: { limit: 'tokens', max: String(WAITING_MAX) },
        retryDelayMs: 500,
      }),
  })
}

/** Gives jose the key when it is the caller's turn, which lasts until `over` is called. */
export function inTurn(turns: Turns, caller: string, find: JWTVerifyGetKey) {
  const { promise: done, resolve: over } = Promise.withResolvers<void>()
  const findInTurn: JWTVerifyGetKey = async (header, token) => {
    const key = await find(header, token)
    await new Promise<void>((begin, refuse) => {
      const work = () => {
        begin()
        return done
      }
      turns.take(caller, undefined, work).catch(refuse)
    })
    return key
  }
  return { find: findInTurn, over }
}
