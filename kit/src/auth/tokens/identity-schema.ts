/** What an identity file may say: whose tokens are believed, and what they allow. */

import { isLoopback } from '@offstage/proto/loopback'
import { z } from 'zod'
import { millis } from '../../config/schemas.ts'
import { ROLES } from '../rights.ts'

/** Only what a public key verifies: whoever can check a token must not be able to make one. */
export const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const

/** The issuer of the tokens that the scheduler makes for attempts. */
export const ATTEMPT_ISSUER = 'offstage'

const TOLERANCE_MS_MAX = 10 * 60_000
const text = z.string().min(1, 'must not be empty')

const keysPlace = text.refine(
  isKeysPlace,
  'must be an https url, or the path of a file with a JWKS or public keys in PEM; http is for loopback addresses alone',
)

const algorithm = z.enum(
  ALGORITHMS,
  `must be one of ${ALGORITHMS.join(', ')}: algorithms with a shared secret, and none, are never taken`,
)

const tolerance = millis.refine((ms) => ms <= TOLERANCE_MS_MAX, 'must be at most 10m')

/** The rights of some subjects, where their tokens name none. */
const grant = z
  .strictObject({
    /** The `sub` of the token; `*` stands for any characters. */
    subject: text,
    /** Absent: what the roles claim says. */
    roles: z.array(z.enum(ROLES, `must be one of ${ROLES.join(', ')}`)).optional(),
    /** Absent: what the namespaces claim says. */
    namespaces: z.union([z.literal('all'), z.array(text)], 'must be "all" or a list').optional(),
    /** What an executor may attach with; in the names `*` stands for any characters. Absent: with everything. */
    attach: z
      .strictObject({
        methods: z.array(text).min(1, 'must name at least one'),
        /** Absent: any pool. */
        pools: z.array(text).min(1, 'must name at least one').optional(),
      })
      .readonly()
      .optional(),
  })
  .readonly()

const issuer = z
  .strictObject({
    /** The `iss` of its tokens, to the letter. */
    issuer: text.refine(
      (name) => name !== ATTEMPT_ISSUER,
      'is the name Offstage itself signs with',
    ),
    /** One of them must be in the `aud` of the token. */
    audience: z.union([text, z.array(text).min(1)], 'must be a text or a list of texts'),
    /** Where its public keys are: an https url, or a file with a JWKS or with public keys in PEM. */
    jwks: keysPlace,
    /** File of who signs the certificate of that url. Default: the authorities that come with Node. */
    jwksCa: text.optional(),
    /** File of a token to ask that url with, read for each question, as Kubernetes wants it. */
    jwksTokenFile: text.optional(),
    algorithms: z
      .array(algorithm)
      .min(1)
      .default([...ALGORITHMS]),
    /** By how much clocks may differ. */
    clockTolerance: tolerance.default(30_000),
    /** The claim with the roles, a list or words with spaces between; `a.b` looks for b within a. */
    rolesClaim: text.default('roles'),
    /** The claim with the namespaces, in the same way; `*` stands for all. */
    namespacesClaim: text.default('namespaces'),
    /** The first whose subject fits counts. */
    grants: z.array(grant).default([]),
  })
  .readonly()
  .superRefine(({ jwks, jwksCa, jwksTokenFile }, context) => {
    if (isUrl(jwks)) return
    for (const [name, value] of Object.entries({ jwksCa, jwksTokenFile })) {
      if (value === undefined) continue
      const message = 'is for a jwks that is a url'
      context.addIssue({ code: 'custom', message, path: [name] })
    }
  })

/** Who calls without a token, by the certificate of a client that cannot send one. */
const certificate = z
  .strictObject({
    /** The common name of the certificate, one of its DNS names or one of its URIs, to the letter. */
    subject: text,
    roles: z.array(z.enum(ROLES, `must be one of ${ROLES.join(', ')}`)).min(1),
    namespaces: z.union([z.literal('all'), z.array(text).min(1)], 'must be "all" or a list'),
  })
  .readonly()

export const identitySchema = z
  .strictObject({
    issuers: z.array(issuer).min(1, 'must name at least one issuer'),
    /** Believed where the service asks for certificates, and of nobody who brings a token. */
    certificates: z.array(certificate).default([]),
  })
  .readonly()
  .superRefine(({ issuers }, context) => {
    const names = issuers.map((each) => each.issuer)
    for (const [index, name] of names.entries()) {
      if (names.indexOf(name) === index) continue
      const message = 'is there twice; one entry may have several audiences'
      context.addIssue({ code: 'custom', message, path: ['issuers', index, 'issuer'] })
    }
  })

export type IdentityConfig = z.output<typeof identitySchema>
export type IssuerConfig = IdentityConfig['issuers'][number]
export type CertificateGrant = IdentityConfig['certificates'][number]
export type Grant = IssuerConfig['grants'][number]

export function isUrl(place: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(place)
}

function isKeysPlace(place: string): boolean {
  if (!isUrl(place)) return !place.includes('\0')
  const url = URL.parse(place)
  if (url === null || url.username !== '' || url.password !== '') return false
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(host))
}
