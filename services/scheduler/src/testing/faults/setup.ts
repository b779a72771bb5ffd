/** Runs before a test file that is to hold under faults: prints the seed, and of a test that fails what was done to it. */
import { readFileSync } from 'node:fs'
import { beforeEach } from 'vitest'
import { faults } from './faults.ts'
import { LEFT_OUT } from './left-out.ts'

beforeEach(({ task, skip, onTestFailed }) => {
  const why = LEFT_OUT[task.name]
  if (why !== undefined) skip(why)
  if (faults === undefined) return
  const { seed, story } = faults
  story.length = 0
  faults.namesAttempts = /attempt/.test(readFileSync(task.file.filepath, 'utf8'))
  onTestFailed(() => {
    process.stderr.write(`FAULTS_SEED=${seed}; ${task.name}: ${story.join(', ') || 'no fault'}\n`)
  })
})
