import { createHash } from 'node:crypto'

/** By content: executors that announce the same schema take the same parameters. */
export function schemaId(schema: string): string {
  return createHash('sha256').update(schema).digest('base64url').slice(0, 16)
}
