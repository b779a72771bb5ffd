import {
  globSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { compile } from './compile.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const MODULES = Array.from({ length: 40 }, (_, at) => `part${at}`)

/** Two packages as ours are: one needs the other by its name, which leads by way of a link to many modules. */
function writeWorkspace(): string {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'offstage-compile-')))
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  write('tsconfig.json', JSON.stringify({ compilerOptions: OPTIONS }))
  write('user/src/mod.ts', "export { part0 } from '@x/used'\n")
  write('used/package.json', JSON.stringify(MANIFEST))
  write('used/src/mod.ts', MODULES.map((name) => `export * from './${name}.ts'\n`).join(''))
  for (const name of MODULES) write(`used/src/${name}.ts`, `export const ${name} = '${name}'\n`)
  write('used/src/mod.test.ts', 'export {}\n')
  mkdirSync(join(root, 'node_modules/@x'), { recursive: true })
  symlinkSync('../../used', join(root, 'node_modules/@x/used'))
  symlinkSync(join(ROOT, 'node_modules/typescript'), join(root, 'node_modules/typescript'))
  return root
}

const OPTIONS = {
  ...{ module: 'nodenext', target: 'es2024', allowImportingTsExtensions: true },
  ...{ types: [], noEmit: true },
}
const MANIFEST = { name: '@x/used', type: 'module', exports: { '.': './src/mod.ts' } }

test('all that an entry leads to is compiled, by whichever way, and nothing else', async () => {
  const root = writeWorkspace()
  try {
    const folder = join(root, 'compiled')
    const entries = ['user/src/mod.ts']
    for (const more of [[], ['used/src/mod.ts']]) {
      rmSync(folder, { recursive: true, force: true })
      await compile(root, { entries: [...entries, ...more], folder })
      const compiled = globSync('used/src/*.js', { cwd: folder }).map((path) => path.slice(9, -3))
      expect(compiled.sort()).toEqual(['mod', ...MODULES].sort())
    }
  } finally {
    rmSync(root, { recursive: true })
  }
})
