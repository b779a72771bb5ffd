/** What the next sweep of retention would remove, by the rules in force or by others that are thought of. */
import { type Retention, retentionInForce } from '../domain/retention.ts'
import type { NamespaceStore } from '../ports/namespaces.ts'
import type { ExpiredJobs, RetentionStore } from '../ports/retention.ts'
import { previewTooSlow } from './refusals.ts'

export type PreviewRetention = (
  namespace: string,
  rules: readonly Retention[] | undefined,
) => Promise<ExpiredJobs[]>

export function createPreviewRetention(
  namespaces: Pick<NamespaceStore, 'read'>,
  retention: Pick<RetentionStore, 'preview'>,
): PreviewRetention {
  return async (namespace, rules) => {
    const set = rules ?? (await namespaces.read(namespace)).retention
    const expired = await retention.preview(namespace, retentionInForce(set))
    if (expired === undefined) throw previewTooSlow()
    return expired
  }
}
