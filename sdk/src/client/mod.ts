/** The client: starting jobs, waiting for them, temp storage. */
export type { Offstage } from './offstage.ts'
