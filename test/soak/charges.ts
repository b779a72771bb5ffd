/**
 * Whether a session is charged with the loss of a job while a stream of it lives (ADR 0009: only the dead are charged). A trigger looks
 * whenever such a job is changed, the end included. Afterwards it could not be told: times are those at which transactions began, and
 * what a session had lost is forgotten when it comes back.
 */
import type { Queryable } from '@offstage/kit/database'

const WATCH = [
  `CREATE TABLE public.unjust_charges (
    job_id uuid NOT NULL, method text NOT NULL, state int NOT NULL, attempt int NOT NULL, attempts jsonb, streams jsonb NOT NULL)`,
  `CREATE FUNCTION public.note_unjust_charge() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO public.unjust_charges
      SELECT NEW.id, NEW.method, NEW.state, NEW.attempt,
        (SELECT jsonb_agg(to_jsonb(past)) FROM offstage.job_attempts past WHERE past.job_id = NEW.id),
        jsonb_agg(to_jsonb(stream))
      FROM offstage.attachments stream WHERE stream.session_key = ANY (NEW.crashed_sessions)
      HAVING bool_or(stream.end_round IS NULL);
      RETURN NULL;
    END $$`,
  `CREATE TRIGGER note_unjust_charge AFTER UPDATE ON offstage.jobs FOR EACH ROW
    WHEN (NEW.crashed_sessions IS NOT NULL) EXECUTE FUNCTION public.note_unjust_charge()`,
]

export async function watchCharges(database: Queryable): Promise<void> {
  for (const text of WATCH) await database.query({ name: '', text })
}

/** Of the charges seen to be unjust. */
export const UNJUST_CHARGES = 'SELECT * FROM public.unjust_charges'
