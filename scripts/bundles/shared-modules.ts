/** In the bundles of threads: job modules are read as they are written, but what they share with the thread is that of its bundle. */
import { registerHooks } from 'node:module'

const SDK = new URL('../../../sdk/src/', import.meta.url).href
const ZOD = new URL('../packages/zod.js', import.meta.url).href

registerHooks({
  resolve(specifier, context, nextResolve) {
    // A module that cannot find them is to be told so.
    const resolved = nextResolve(specifier, context)
    const url = specifier === 'zod' ? ZOD : bundled(resolved.url)
    return url === undefined ? resolved : { url, format: 'module', shortCircuit: true }
  },
})

function bundled(url: string): string | undefined {
  if (!url.startsWith(SDK) || !url.endsWith('/mod.ts')) return undefined
  return new URL(`./sdk/src/${url.slice(SDK.length, -'.ts'.length)}.js`, import.meta.url).href
}
