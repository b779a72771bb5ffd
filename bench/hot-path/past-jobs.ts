/** Jobs of the past, put there by one statement. */
/** Ids of the past in the order of time, as real ones are; `from` to `to` milliseconds ago. */
export const history = (state: string, method: string, from: number, to: number) => ({
  name: '',
  text: `
    INSERT INTO offstage.jobs (id, namespace, method, state, lane, kind, priority, attempt, owner, params, finish_time)
    SELECT (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint - ago), 12, '0') || '7' ||
        substr(md5(ago::text || '${method}'), 1, 3) || '8' || substr(md5('${method}' || ago::text), 1, 15))::uuid,
      'default', '${method}', ${state}, 1, 1, 0, 1, 'dev', '{}'::bytea, now()
    FROM generate_series(${from}, ${to}, -1) AS ago`,
})
