/** In the bundles of threads: job modules are read as they are written, but what they share with the thread is that of its bundle. */
import { registerHooks } from 'node:module'

const FILES = new Map([['zod', '../packages/zod.js']])
const SDK = /^@offstage\/sdk(\/\w+)?$/

registerHooks({
  resolve(specifier, context, nextResolve) {
    const sdk = SDK.exec(specifier)
    const file = sdk === null ? FILES.get(specifier) : `./sdk/src${sdk[1] ?? ''}/mod.js`
    if (file === undefined) return nextResolve(specifier, context)
    return { url: new URL(file, import.meta.url).href, format: 'module', shortCircuit: true }
  },
})
