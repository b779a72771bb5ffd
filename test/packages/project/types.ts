/** Never run: compiled, with each error that is expected. */
import { Offstage } from '@offstage/sdk'
// The types alone: the caller loads nothing of the handlers.
import type { greet, work } from './jobs.ts'

const offstage = await Offstage.connect()
const greeting = await offstage.startJob<typeof greet>('greetings.greet', { name: 'Ada' })
const text: string = await greeting.value()
const length = await offstage.startJob<typeof work>('greetings.work', { name: text })
const chars: number = await length.value()

// @ts-expect-error a number is no name
await offstage.startJob<typeof greet>('greetings.greet', { name: chars })
// @ts-expect-error what it answers is a text
const wrong: number = await greeting.value()
console.log(wrong)
