import type { Database } from '@offstage/kit/database'
import type { SigningKeyStore, StoredSigningKey } from '../ports/attempt-tokens.ts'

const READ = {
  name: 'read_signing_keys',
  text: `
    SELECT id, private_key, extract(epoch FROM clock_timestamp() - create_time)::float8 * 1000 AS age_ms
    FROM offstage.signing_keys ORDER BY create_time DESC, id`,
}

/** One replica at a time: whoever comes second finds the key of the first. Not by an advisory lock, which any login could hold. */
const TAKE_TURN = { name: '', text: 'LOCK TABLE offstage.signing_keys IN SHARE ROW EXCLUSIVE MODE' }

const ADD = {
  name: 'add_signing_key',
  text: `
    INSERT INTO offstage.signing_keys (id, private_key)
    SELECT $1, $2 WHERE NOT EXISTS (
      SELECT FROM offstage.signing_keys
      WHERE create_time > clock_timestamp() - $3::float8 * interval '1 ms')`,
}

/** A key is needed for as long after its successor came as what it had signed by then can live. */
const FORGET = {
  name: 'forget_signing_keys',
  text: `
    DELETE FROM offstage.signing_keys old WHERE EXISTS (
      SELECT FROM offstage.signing_keys newer
      WHERE newer.create_time > old.create_time
        AND newer.create_time < clock_timestamp() - $1::float8 * interval '1 ms')`,
}

interface KeyRow {
  id: string
  private_key: string
  age_ms: number
}

export function createSigningKeyStore(database: Database): SigningKeyStore {
  return {
    async read() {
      const { rows } = await database.query<KeyRow>(READ)
      return rows.map(
        (row): StoredSigningKey => ({
          id: row.id,
          privateKey: row.private_key,
          ageMs: row.age_ms,
        }),
      )
    },
    async replace({ id, privateKey }, { olderThanMs, keepMs }) {
      await database.transaction(async (tx) => {
        await tx.query(TAKE_TURN)
        await tx.query(ADD, [id, privateKey, olderThanMs])
        await tx.query(FORGET, [keepMs])
      })
    },
  }
}
