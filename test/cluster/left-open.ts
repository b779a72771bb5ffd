/** A client that says the id of the job which it has started in a transaction, and leaves that open. */
import { startJobIn } from '@offstage/sdk/sql'
import pg from 'pg'
import { double } from './jobs.ts'

const client = new pg.Client({ connectionString: process.argv[2] })
await client.connect()
await client.query('BEGIN')
const id = await startJobIn(client, double, { n: 1 }, { key: 'left-open' })
console.log(`started ${id}`)
setInterval(() => {}, 1_000)
