/** One flood, in a process of its own: `node flood.ts <name> <address>`; FLOOD_JOB_IDS has ids of jobs. */
import { FLOODS } from './floods.ts'

const [name = '', address = ''] = process.argv.slice(2)
const flood = FLOODS[name]
if (flood === undefined) throw new Error(`no flood ${name}: ${Object.keys(FLOODS).join(', ')}`)
const jobIds = (process.env.FLOOD_JOB_IDS ?? '').split(',')
await flood.start(address, jobIds)
console.log('flooding')
