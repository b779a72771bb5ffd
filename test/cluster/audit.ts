import { openPostgres } from '@offstage/kit/database'

/** Every end of every job, written by a trigger: what really happened, whoever says otherwise. */
export interface Audit extends AsyncDisposable {
  ended(): Promise<number>
  /** Jobs that ended more than once. */
  endedTwice(): Promise<number>
  states(): Promise<Record<string, number>>
  /** The `n` of the only row. */
  count(text: string): Promise<number>
}

export async function openAudit(url: string): Promise<Audit> {
  const database = await openPostgres({ url, poolSize: 1 })
  await database.query({
    name: '',
    text: `
      CREATE TABLE public.job_ends (id uuid NOT NULL);
      CREATE FUNCTION public.note_end() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO public.job_ends VALUES (NEW.id); RETURN NULL; END $$;
      CREATE TRIGGER note_end AFTER UPDATE ON offstage.jobs FOR EACH ROW
        WHEN (NEW.state >= 5) EXECUTE FUNCTION public.note_end();`,
  })
  const count = async (text: string) => {
    const { rows } = await database.query<{ n: number }>({ name: '', text })
    return rows[0]?.n ?? Number.NaN
  }
  return {
    ended: () => count('SELECT count(*)::int AS n FROM public.job_ends'),
    endedTwice: () =>
      count(`SELECT count(*)::int AS n FROM (
        SELECT id FROM public.job_ends GROUP BY id HAVING count(*) > 1) twice`),
    count,
    async states() {
      const { rows } = await database.query<{ state: number; n: number }>({
        name: '',
        text: 'SELECT state, count(*)::int AS n FROM offstage.jobs GROUP BY state',
      })
      return Object.fromEntries(rows.map(({ state, n }) => [state, n]))
    },
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  }
}
