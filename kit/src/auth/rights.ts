/**
 * Who may do what: the one table that every service asks.
 *
 * An RPC declares its right where it is bound (kit/grpc); whoever has no share in that right is turned away before the handler
 * runs. What the call then touches is asked about by `mayTouch`: of what belongs to others only those have sight whom the table
 * lists under `others`. To everybody else it looks like something that does not exist (guarantee 8).
 */
import { ROLES, type RoleName } from '@offstage/proto/roles'

export type Role = RoleName
export { ROLES }

interface Holders {
  /** Roles that have the right on what is their own, or that nobody owns. */
  readonly own: readonly Role[]
  /** Roles that have it on what belongs to others too. */
  readonly others: readonly Role[]
}

/** Administrators have every right and are not listed. */
export const RIGHTS = {
  /** Whoever is known. */
  identified: { own: ROLES, others: [] },

  'jobs.start': { own: ['user', 'service', 'operator'], others: [] },
  'jobs.read': { own: ['user', 'service', 'operator', 'reader'], others: ['operator', 'reader'] },
  /** Parameters, results, details of errors, and what a job says of itself while it runs. */
  'jobs.payload': { own: ['user', 'service', 'operator', 'reader'], others: [] },
  'jobs.cancel': { own: ['user', 'service', 'operator'], others: ['operator'] },
  /** Retry and delete. */
  'jobs.change': { own: ['user', 'service', 'operator'], others: ['operator'] },

  'schedules.read': {
    own: ['user', 'service', 'operator', 'reader'],
    others: ['operator', 'reader', 'service'],
  },
  /** What a schedule starts, and for whom. */
  'schedules.write': { own: ['user', 'service', 'operator'], others: ['service'] },
  /** When it does: pause, resume, trigger, backfill, times. */
  'schedules.operate': { own: ['user', 'service', 'operator'], others: ['operator', 'service'] },

  'namespaces.read': { own: ['user', 'service', 'operator', 'reader', 'executor'], others: [] },
  /** Pause, resume, limits: what changes how jobs of everybody flow. */
  'namespaces.operate': { own: ['operator'], others: ['operator'] },
  /** Having a namespace for oneself; handlers of privileged methods act as services. */
  'namespaces.exclusive': { own: ['service'], others: [] },
  /** Settings, retention. */
  'namespaces.administer': { own: [], others: [] },
  /** The record of what was done on things of others. */
  'acts.read': { own: [], others: [] },
  'locks.take': { own: ['user', 'service', 'operator'], others: [] },
  /** Having reusable values dropped everywhere, and hearing which. */
  'refreshes.send': { own: ['user', 'service', 'operator', 'executor'], others: [] },
  'refreshes.hear': { own: ['user', 'service', 'operator', 'executor'], others: [] },
  /** Telling what runs have left behind, and hearing of which to look. */
  'leaks.report': { own: ['service', 'executor'], others: [] },

  'executors.attach': { own: ['executor'], others: [] },
  'executors.read': { own: ['operator', 'reader'], others: ['operator', 'reader'] },
  /** How much there is to do, by which executors are scaled. */
  'scaling.read': { own: ['operator', 'reader', 'scaler'], others: [] },
  'executors.drain': { own: ['operator'], others: ['operator'] },

  'values.read': { own: ['user', 'service', 'operator', 'executor'], others: ['service'] },
  'values.write': { own: ['user', 'service', 'operator', 'executor'], others: ['service'] },
  'values.delete': {
    own: ['user', 'service', 'operator', 'executor'],
    others: ['service'],
  },
  /** What temp storage has to know of jobs: which values they need, and which they have left. */
  'values.keep': { own: ['service'], others: ['service'] },
} as const satisfies Record<string, Holders>

/** What can be allowed or not. */
export type Right = keyof typeof RIGHTS

/** The roles that get a call with this right past the door. */
export function rolesWith(right: Right): readonly Role[] {
  return AT_THE_DOOR[right]
}

// Asked for every call, so worked out once.
const AT_THE_DOOR = {} as Record<Right, readonly Role[]>
for (const [right, { own, others }] of Object.entries<Holders>(RIGHTS)) {
  AT_THE_DOOR[right as Right] = ROLES.filter(
    (role) => role === 'admin' || own.includes(role) || others.includes(role),
  )
}
