export { type Identity, type IdentityOptions, openIdentity } from './identity.ts'
export {
  ATTEMPT_ISSUER,
  type Grant,
  type IdentityConfig,
  type IssuerConfig,
} from './identity-schema.ts'
export type { VerifyToken } from './issuer.ts'
export { checkIdentity, identityFields, identityFileOf } from './settings.ts'
export { createTokenAuthenticate, type TokenAuthenticateOptions } from './token-authenticate.ts'
export { refusalFromJose, type TokenReason, tokenRefusal } from './token-refusals.ts'
export type { VerifiedToken } from './verified-token.ts'
