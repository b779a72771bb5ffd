/** Has the caller of this pod do something: node ask.mjs ACT JSON. Prints what came of it. */
import { setTimeout as pause } from 'node:timers/promises'

const [act, body = '{}'] = process.argv.slice(2)
const ask = () => fetch(`http://127.0.0.1:7720/${act}`, { method: 'POST', body })
let answer
for (let tries = 0; answer === undefined; tries += 1) {
  // It listens once it is connected.
  answer = await ask().catch((error) => {
    if (tries === 60) throw error
  })
  if (answer === undefined) await pause(500)
}
const text = await answer.text()
if (answer.ok) console.log(text)
else {
  console.error(text)
  process.exitCode = 1
}
