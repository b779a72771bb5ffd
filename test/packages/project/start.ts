// Without `await using`, which Node 22 does not know and stripping types leaves as it is.
import { JobFailedError, Offstage } from '@offstage/sdk'
import { apart, fail, greet, task, work } from './jobs.ts'

const offstage = await Offstage.connect()
try {
  const failure = await offstage.run(fail).catch((error: unknown) => error)
  const ended = {
    greeted: await offstage.run(greet, { name: 'Ada' }),
    asTask: await offstage.run(task, { name: 'Ada' }),
    asProcess: await offstage.run(apart, { name: 'Ada' }),
    asWork: await offstage.run(work, { name: 'Ada' }),
    failure: failure instanceof JobFailedError && failure.detail,
  }
  console.log(JSON.stringify(ended))
} finally {
  await offstage[Symbol.asyncDispose]()
}
