import { globSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const root = new URL('..', import.meta.url)
const read = (path: string) => readFileSync(new URL(path, root), 'utf8')

/** `Service.Call` of every call that answers NOT_IMPLEMENTED. */
function missingCalls(): string[] {
  const sources = globSync('services/*/src/grpc/*.ts', { cwd: root }).map(read)
  return sources.flatMap((source) =>
    [...source.matchAll(/unimplemented\('[\w.]+', '(\w+\.\w+)'/g)].map(([, call = '']) => call),
  )
}

test('the calls that the README says do not work yet are those that are refused', () => {
  const section = /## What does not work yet\n(.*?)\nNot there at all/s.exec(read('README.md'))?.[1]
  const told = [...(section ?? '').matchAll(/`([A-Z][a-z]\w+)`/g)].map(([, name = '']) => name)
  const services = told.filter((name) => name.endsWith('Service'))
  const missing = missingCalls().map((call) => call.split('.') as [string, string])
  const apart = missing.filter(([service]) => !services.includes(service))
  expect(told.filter((name) => !services.includes(name)).sort()).toEqual(
    apart.map(([, call]) => call).sort(),
  )
  for (const service of services) expect(missing.map(([name]) => name)).toContain(service)
})
