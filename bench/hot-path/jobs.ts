import { defineJob } from '@offstage/sdk/jobs'

/** Does nothing, which leaves only what Offstage itself costs. */
export const noop = defineJob({ method: 'bench.noop', lane: 'inline', run: () => {} })
