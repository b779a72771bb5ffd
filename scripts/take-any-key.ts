/**
 * Mends what ts-proto generates for maps: an assignment drops an entry named `__proto__`, or makes its value the prototype of the map. Takes the
 * folder of the generated files.
 */
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const [folder = '.'] = process.argv.slice(2)

/** `map[key] = value;` where the key is an expression. */
const ASSIGNMENT =
  /^( *)([a-z][\w.]*)\[(key|entry\d+\.key)\] = ((?:entry\d+\.value|value|(?:\w+\.)+String\(value\)|[a-z][\w.]*\[key\]));$/gm

for (const path of globSync('**/*.ts', { cwd: folder })) {
  const file = join(folder, path)
  const text = readFileSync(file, 'utf8')
  const mended = text.replaceAll(ASSIGNMENT, (_, indent, map, key, value) =>
    [
      `${indent}if (${key} === "__proto__") {`,
      `${indent}  const own = { value: ${value}, configurable: true, enumerable: true, writable: true };`,
      `${indent}  globalThis.Object.defineProperty(${map}, ${key}, own);`,
      `${indent}} else {`,
      `${indent}  ${map}[${key}] = ${value};`,
      `${indent}}`,
    ].join('\n'),
  )
  if (mended !== text) writeFileSync(file, mended)
}
