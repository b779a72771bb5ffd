export type { AttemptGrant } from './attempt-claims.ts'
export { attemptTokenEnded, createAttemptVerifier } from './attempt-verifier.ts'
export { publicKeysIn } from './public-keys.ts'
export { type SigningTerms, signAttemptToken } from './sign-attempt-token.ts'
