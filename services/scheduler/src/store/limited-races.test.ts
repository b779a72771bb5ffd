/** Limits are kept however starts, claims, ends and changes of the limits meet (row J20). */
import { type Database, openPostgres } from '@offstage/kit/database'
import { until } from '@offstage/testkit'
import { v7 } from 'uuid'
import { expect, test } from 'vitest'
import type { AttemptKey } from '../domain/held-job.ts'
import { JobState } from '../domain/job-state.ts'
import { Lane } from '../domain/lane.ts'
import type { MethodLimit } from '../domain/method-limit.ts'
import { start } from '../testing/on-postgres.ts'
import { attachmentId } from '../testing/session.ts'
import { startCommand } from '../testing/start-command.ts'
import { createGateStore } from './gates.ts'
import { createJobStore } from './job-store.ts'
import { createMethodStore } from './methods.ts'
import { createNamespaceStore } from './namespaces.ts'

const METHOD = 'test.job'
const BY = { user: 'dev', roles: ['admin'], peer: '127.0.0.1:1', call: 'a.B' }
const TEXTS = { description: '', paramsSchema: '', resultSchema: '' }
const DEFINITION = { name: METHOD, lane: Lane.inline, ...TEXTS }
const QUEUES = [{ method: METHOD, lane: Lane.inline, pool: '' }]
const KEYS = ['a', 'b', 'c', 'd']
const CHANGES = 20
const SAMPLES = 20

/** Notes each statement that let jobs begin whose limits, as they are at the moment, are then exceeded. */
const WATCH = `
  CREATE TABLE public.exceeded (held int NOT NULL, most int NOT NULL, keyed boolean NOT NULL);
  CREATE FUNCTION public.note_exceeded() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF EXISTS (SELECT FROM begun WHERE state = 3) THEN
        INSERT INTO public.exceeded
        SELECT held.jobs, l.max_concurrency, l.keyed FROM offstage.method_limits l CROSS JOIN LATERAL (
          SELECT count(*) AS jobs FROM offstage.jobs j WHERE j.method = l.method AND j.state = 3
            AND (NOT l.keyed OR j.limit_key IN (SELECT limit_key FROM begun WHERE state = 3))
          GROUP BY CASE WHEN l.keyed THEN j.limit_key END) held
        WHERE held.jobs > l.max_concurrency;
      END IF;
      RETURN NULL;
    END $$;
  CREATE TRIGGER note_begun AFTER UPDATE ON offstage.jobs
    REFERENCING NEW TABLE AS begun FOR EACH STATEMENT EXECUTE FUNCTION public.note_exceeded();
  CREATE TRIGGER note_started AFTER INSERT ON offstage.jobs
    REFERENCING NEW TABLE AS begun FOR EACH STATEMENT EXECUTE FUNCTION public.note_exceeded();`

/** What runs over the limits, as one who looks from outside sees it. */
const OVER = `
  SELECT held.jobs, l.max_concurrency, l.keyed FROM offstage.method_limits l CROSS JOIN LATERAL (
    SELECT count(*)::int AS jobs FROM offstage.jobs j WHERE j.method = l.method AND j.state = 3
    GROUP BY CASE WHEN l.keyed THEN j.limit_key END) held
  WHERE held.jobs > l.max_concurrency`

/** Once what ran before has got below limits that were lowered, it stays there. */
async function staysWithin(database: Database): Promise<void> {
  const over = async () => (await database.query({ name: 'over', text: OVER })).rows
  await until(async () => (await over()).length === 0, { what: 'that enough has ended' })
  for (let sample = 0; sample < SAMPLES; sample++) expect(await over()).toEqual([])
}

/** A replica that starts, claims and ends without a pause, as often as told; how many of its jobs began at once. */
async function replica(database: Database, signal: AbortSignal) {
  const store = createJobStore(database)
  const gates = createGateStore(database)
  const attachment = attachmentId()
  const running: AttemptKey[] = []
  let [atOnce, claimed, lastKey] = [0, 0, '']
  while (!signal.aborted) {
    const { epoch } = await gates.read()
    const jobs = Array.from({ length: 1 + Math.floor(Math.random() * 3) }, () => ({
      ...{ id: v7(), lane: Lane.inline, attachmentId: attachment, withinLimits: true },
      command: startCommand({ limitKey: KEYS[Math.floor(Math.random() * KEYS.length)] ?? '' }),
    }))
    for (const [jobId, state] of await store.insert(jobs, epoch)) {
      if (state !== JobState.running) continue
      atOnce += 1
      running.push({ jobId, attachmentId: attachment, attempt: 1 })
    }
    const claim = await store.claimLimited({
      ...{ namespace: 'default', method: METHOD, queues: QUEUES, afterKey: lastKey },
      ...{ attachmentIds: [attachment, attachment, attachment, attachment], giveKeys: false },
    })
    lastKey = claim.lastKey ?? lastKey
    claimed += claim.taken.jobs.length
    for (const { id, attempt } of claim.taken.jobs) {
      running.push({ jobId: id, attachmentId: attachment, attempt })
    }
    const ended = running.splice(0, Math.ceil(running.length / 2))
    await store.succeed(ended.map((key) => ({ ...key, result: undefined })))
  }
  return { atOnce, claimed }
}

test('however starts, claims, ends and changes of the limits of three replicas meet, by settings and by definitions, no more run than they say', async () => {
  await using it = await start({ config: { claimSweepMs: 600_000 } })
  await using other = await openPostgres({ url: it.url, poolSize: 8 })
  const settings = createNamespaceStore(other)
  const methods = createMethodStore(other)
  const set = (limits: readonly MethodLimit[]) =>
    settings.update('default', { etag: undefined, retention: undefined, limits }, BY)
  const limit = async (whole: number, perKey: number, by: 'setting' | 'definition') => {
    const limits = [
      { method: METHOD, keyExpression: '', concurrencyMax: whole },
      { method: METHOD, keyExpression: 'params.k', concurrencyMax: perKey },
    ]
    if (by === 'setting') await set(limits)
    else {
      await methods.announce('default', [{ ...DEFINITION, limits }])
      await set([])
    }
  }
  await limit(5, 2, 'definition')
  await other.query({ name: '', text: WATCH })
  const stop = new AbortController()
  const replicas = [0, 1, 2].map(() => replica(other, stop.signal))
  try {
    for (let change = 0; change < CHANGES; change++) {
      const by = change % 4 < 2 ? 'setting' : 'definition'
      await limit(1 + (change % 6), 1 + (change % 3), by)
      await staysWithin(other)
    }
  } finally {
    stop.abort()
    await Promise.allSettled(replicas)
  }
  const done = await Promise.all(replicas)
  const { rows } = await other.query({ name: '', text: 'SELECT * FROM public.exceeded' })
  expect(rows).toEqual([])
  // In both ways.
  expect(done.reduce((sum, { atOnce }) => sum + atOnce, 0)).toBeGreaterThan(0)
  expect(done.reduce((sum, { claimed }) => sum + claimed, 0)).toBeGreaterThan(0)
})
