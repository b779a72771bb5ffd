/** Secrets to plant, and how they are found again in whatever comes out. */
import { randomBytes } from 'node:crypto'

export type Secrets = Readonly<Record<string, string>>

/** What a process wrote that ran to its end. */
export interface Said {
  readonly text: string
  /** What shows that it came as far as it was to. */
  readonly has: RegExp
}

export const made = () => randomBytes(16).toString('hex')

/** The secret part of a private key in PEM; what stands before it is the same in all keys of its kind. */
export function secretOfPem(pem: string): string {
  return (pem.split('\n')[1] ?? '').slice(48)
}

/** What is secret whoever made it: of these some are made while the services run, such as the tokens of attempts. */
const SHAPES: Readonly<Record<string, RegExp>> = {
  'a JWT': /eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}/,
  'a key in PEM': /-----BEGIN [A-Z ]*(?:PRIVATE KEY|SEED|JWT)/,
  'an nkey seed': /\bS[UAO][A-Z2-7]{56}\b/,
}

/**
 * As it might show: some of its characters as they are, or as the bytes they stand in are written. Tokens of one issuer begin alike,
 * as seeds of one kind do, and what is cut off is cut off at the end.
 */
function formsOf(secret: string): readonly string[] {
  const part = /^(eyJ|SU)/.test(secret) ? secret.slice(-20) : secret.slice(0, 12)
  const bytes = Buffer.from(part)
  // Within longer bytes base64 has one of three alignments, and other characters at either end.
  const base64 = [0, 1, 2].map((from) => bytes.subarray(from, from + 9).toString('base64'))
  return [part, bytes.toString('hex'), ...base64]
}

/** What the text has in it: the secrets, by name, and what looks like one. */
export function shownIn(text: string, secrets: Secrets): string[] {
  const has = (secret: string) => formsOf(secret).some((form) => text.includes(form))
  const planted = Object.entries(secrets).flatMap(([name, secret]) => (has(secret) ? [name] : []))
  const shapes = Object.entries(SHAPES).flatMap(([name, shape]) => (shape.test(text) ? [name] : []))
  return [...planted, ...shapes]
}
