import { errors, type JWTVerifyGetKey, type JWTVerifyResult, jwtVerify } from 'jose'
import type { Logger } from '../../telemetry/mod.ts'
import { actorFromClaims } from './actor-from-claims.ts'
import type { IssuerConfig } from './identity-schema.ts'
import { KeySet } from './key-set.ts'
import { loadKeys } from './load-keys.ts'
import { inTurn, signatureTurns } from './signatures-in-turn.ts'
import { refusalFromJose } from './token-refusals.ts'
import type { VerifiedToken } from './verified-token.ts'

/** Verifies the tokens of one issuer; what comes back is who they speak for. */
export type VerifyToken = (token: string) => Promise<VerifiedToken>

/** The same, of whoever sends them from `peer`. */
export type VerifyTokenOf = (token: string, peer: string) => Promise<VerifiedToken>

export function createIssuer(config: IssuerConfig, log: Logger): VerifyTokenOf {
  const { issuer, jwks } = config
  let told = ''
  const keys = new KeySet({
    load: () => loadKeys(config),
    onTrouble: (error) => {
      const problem = (error as Error).message
      // Asked again every second: what stays wrong is told once.
      if (problem !== told) log.warn({ issuer, problem }, 'the keys of an issuer cannot be had')
      told = problem
    },
    onRecovered: () => {
      told = ''
      log.info({ issuer, jwks }, 'the keys of an issuer can be had again')
    },
  })
  const turns = signatureTurns()
  return async (token, peer) => {
    const turn = inTurn(turns, peer, keys.find)
    try {
      const { payload } = await verify(token, turn.find, config)
      // `exp` is among the required claims.
      const endsAtMs = (payload.exp ?? 0) * 1_000 + config.clockTolerance
      return { actor: actorFromClaims(payload, config), holdsForMs: endsAtMs - Date.now() }
    } catch (error) {
      throw refusalFromJose(error)
    } finally {
      turn.over()
    }
  }
}

async function verify(
  token: string,
  find: JWTVerifyGetKey,
  config: IssuerConfig,
): Promise<JWTVerifyResult> {
  const { issuer, audience, algorithms, clockTolerance } = config
  const options = {
    issuer,
    audience: typeof audience === 'string' ? audience : [...audience],
    algorithms: [...algorithms],
    clockTolerance: clockTolerance / 1_000,
    requiredClaims: ['exp', 'sub'],
  }
  try {
    return await jwtVerify(token, find, options)
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error
    for await (const key of error) {
      try {
        return await jwtVerify(token, key, options)
      } catch (fault) {
        if (!(fault instanceof errors.JWSSignatureVerificationFailed)) throw fault
      }
    }
    throw new errors.JWSSignatureVerificationFailed()
  }
}
