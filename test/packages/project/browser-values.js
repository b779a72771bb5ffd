import { reusable } from '@offstage/sdk/values'

let computed = 0
const value = reusable((name) => ({ name, computed: ++computed }), { name: 'value' })
globalThis.answer = [value('a'), value('a'), value('b')]
