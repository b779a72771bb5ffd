import { preparedClusterName } from '@offstage/kit/database'

/** What `make pack` makes, in the order in which they need one another. */
export interface PackPlan {
  /** Where the package is in development, from the root. */
  readonly folder: string
  /** Modules that no import leads to: programs, and what runs in threads. */
  readonly entries?: readonly string[]
  /** Programs by name, each one of the entries. */
  readonly bin?: Readonly<Record<string, string>>
  /** Files and folders that go along as they are: from where, to where; the same place by default. */
  readonly assets?: readonly (readonly [from: string, to?: string])[]
}

/** The database that `offstage dev` begins with. */
const CLUSTER = preparedClusterName()

export const PACKAGES: readonly PackPlan[] = [
  { folder: 'proto', assets: [['offstage'], ['keda'], ['gen/descriptors.binpb']] },
  { folder: 'kit' },
  { folder: 'sdk' },
  service('scheduler', [['src/store/migrations', 'dist/store/migrations']]),
  service('storage', [['src/store/migrations', 'dist/store/migrations']]),
  {
    folder: 'services/executor',
    entries: ['src/main.ts', 'src/run/thread.ts', 'src/run/process.ts'],
    bin: { 'offstage-executor': 'src/main.ts' },
  },
  {
    folder: 'cli',
    entries: ['src/main.ts'],
    assets: [
      ['bin'],
      ['../docs/errors.md', 'dist/errors.md'],
      [`../kit/dist/${CLUSTER}`, `dist/${CLUSTER}`],
    ],
  },
]

function service(name: string, assets: PackPlan['assets']): PackPlan {
  const bin = {
    [`offstage-${name}`]: 'src/main.ts',
    [`offstage-${name}-migrate`]: 'src/migrate.ts',
  }
  return { folder: `services/${name}`, entries: Object.values(bin), bin, assets }
}
