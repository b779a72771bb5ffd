/**
 * Runs before a test file whose services and clients are to be as in production: every port asks for a certificate, every call for
 * a token. All of it is said by the environment, which what the file starts inherits, so that its tests need not know.
 */
import { createAuthority, startTestIssuer } from '@offstage/testkit'
import { afterAll } from 'vitest'
import { createClusterCertificates } from '../cluster/certificates.ts'
import { GUARDED_USER, tokensOfOthers } from './access.ts'

const resources = new AsyncDisposableStack()
const issuer = resources.use(await startTestIssuer())
const certificates = resources.use(await createClusterCertificates(await createAuthority()))
/** Longer than a file runs. */
const endsInS = 60 * 60
Object.assign(process.env, certificates.env, {
  OFFSTAGE_IDENTITY: await issuer.identityFile(),
  OFFSTAGE_TOKEN: await issuer.sign({ user: GUARDED_USER, endsInS }),
  ...(await tokensOfOthers((role) => issuer.sign({ user: `the-${role}`, roles: [role], endsInS }))),
})
afterAll(() => resources.disposeAsync())
