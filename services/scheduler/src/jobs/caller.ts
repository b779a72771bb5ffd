import type { Actor } from '@offstage/kit/auth'
import type { ActBy } from '../domain/act.ts'

/** Who acts, with what is recorded where it is on things of others. */
export type Caller = Actor & ActBy
