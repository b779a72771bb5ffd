/** A secret of every kind that a setting can hold, and what the files of the settings have. */
import { generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createNatsUser, type TestIssuer } from '@offstage/testkit'
import { made, secretOfPem } from './planted.ts'

export interface Issuers {
  /** Whose tokens are taken. */
  readonly issuer: TestIssuer
  readonly stranger: TestIssuer
}

export async function plant({ issuer, stranger }: Issuers, tlsKeyFile: string) {
  const natsUser = createNatsUser()
  const { privateKey } = generateKeyPairSync('ed25519')
  const signingKey = String(privateKey.export({ format: 'pem', type: 'pkcs8' }))
  const tokens = {
    executorToken: await issuer.sign({ user: 'runner', roles: ['executor'] }),
    serviceToken: await issuer.sign({ user: 'storage', roles: ['service'] }),
    userToken: await issuer.sign({ user: 'ann', claims: { note: made() } }),
    expiredToken: await issuer.sign({ user: 'ann', endsInS: -900 }),
    strangersToken: await stranger.sign({ user: 'ann' }),
    unsignedToken: `${made()}.${made()}.${made()}`,
    brokenToken: made(),
    basicCredentials: made(),
  }
  const logins = { databasePassword: made(), natsPassword: made(), natsSeed: natsUser.seed }
  const wrongLogins = {
    databasePassword: made(),
    natsPassword: made(),
    natsSeed: createNatsUser().seed,
  }
  const creds = { credsJwt: `eyJ0eXAi.${made()}.${made()}`, credsSeed: createNatsUser().seed }
  const secrets = {
    ...tokens,
    ...logins,
    wrongDatabasePassword: wrongLogins.databasePassword,
    wrongNatsPassword: wrongLogins.natsPassword,
    wrongNatsSeed: wrongLogins.natsSeed,
    ...creds,
    tlsKey: secretOfPem(readFileSync(tlsKeyFile, 'utf8')),
    signingKey: secretOfPem(signingKey),
    collectorPassword: made(),
    addressPassword: made(),
  }
  const contents = { ...tokens, ...logins, signingKey, creds: credsText(creds) }
  return { secrets, contents, nkey: natsUser.nkey, logins: { right: logins, wrong: wrongLogins } }
}

/** As `nsc` writes it. */
function credsText({ credsJwt, credsSeed }: { credsJwt: string; credsSeed: string }): string {
  return `-----BEGIN NATS USER JWT-----\n${credsJwt}\n------END NATS USER JWT------\n
-----BEGIN USER NKEY SEED-----\n${credsSeed}\n------END USER NKEY SEED------\n`
}
