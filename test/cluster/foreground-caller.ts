/** A program that runs a job of its own in the foreground, by the mode in MODE. */
import { foregroundRunner } from '@offstage/executor'
import { Offstage } from '@offstage/sdk'
import { hold } from './foreground-jobs.ts'

const { NOTE: note = '', GATE: gate = '', MODE } = process.env
const offstage = await Offstage.connect({ foreground: foregroundRunner({ jobs: [hold] }) })
const mode = MODE === 'auto' ? 'auto' : 'foreground'
const job = await offstage.startJob(hold, { note, gate }, { mode })
console.log(`job ${job.id}`)
await job.waitForCompletion()
await offstage.close()
console.log('done')
