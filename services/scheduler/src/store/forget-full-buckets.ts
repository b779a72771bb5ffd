import type { Queryable } from '@offstage/kit/database'

/** Not its tokens, but what has flowed in since tells: even an empty one is full by then. Who claims meanwhile is looked at anew. */
const FORGET = {
  name: 'forget_full_buckets',
  text: `
    DELETE FROM offstage.rate_tokens t
    WHERE NOT EXISTS (
      SELECT FROM offstage.method_limits l
      WHERE l.namespace = t.namespace AND l.method = t.method AND l.keyed = t.keyed AND l.rate IS NOT NULL
        AND t.refill_time + l.burst * l.rate_period_ms / l.rate * interval '1 ms' > clock_timestamp())`,
}

export async function forgetFullBuckets(database: Queryable): Promise<void> {
  await database.query(FORGET)
}
