/** What administrators set for a namespace. */
import type { ActBy } from '../domain/act.ts'
import { type Retention, retentionInForce, withoutDefaults } from '../domain/retention.ts'
import type { NamespaceChange, NamespaceSettings, NamespaceStore } from '../ports/namespaces.ts'
import { etagMismatch } from './refusals.ts'

export interface Settings {
  /** As it is in force. */
  read(namespace: string): Promise<NamespaceSettings>
  /** What it names replaces what was set of it. */
  update(namespace: string, change: NamespaceChange, by: ActBy): Promise<NamespaceSettings>
}

export function createSettings(
  store: NamespaceStore,
  /** Limits were set: resolves when this replica goes by them. */
  gatesChanged: (namespace: string) => Promise<void>,
): Settings {
  return {
    read: async (namespace) => inForce(await store.read(namespace)),
    async update(namespace, change, by) {
      const retention = change.retention && withoutDefaults(change.retention)
      const updated = await store.update(namespace, { ...change, retention }, by)
      if (updated === undefined) throw etagMismatch(namespace)
      if (change.limits !== undefined) await gatesChanged(namespace)
      return inForce(updated)
    },
  }
}

function inForce(settings: NamespaceSettings): NamespaceSettings {
  const retention: Retention[] = retentionInForce(settings.retention)
  return { ...settings, retention }
}
