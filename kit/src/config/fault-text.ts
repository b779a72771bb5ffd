import { fileURLToPath } from 'node:url'

const CAUSES_MAX = 5
/** The folder that holds all of our own code in a checkout; of packages everything is below node_modules. */
const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const OUR_FOLDERS = ['cli', 'kit', 'proto', 'sdk', 'services']

/**
 * A fault for people: its message and those of its causes, as far as they say more. Where a message has stack frames in
 * it, as what comes out of a handler thread has, those of Node and of Offstage are left out: only frames in the code of
 * the reader help the reader.
 */
export function faultText(error: unknown): string {
  const parts: string[] = []
  for (let each = error; each !== undefined && parts.length < CAUSES_MAX; each = causeOf(each)) {
    const text = withoutFrames(each instanceof Error ? each.message : String(each))
    if (text !== '' && !parts.some((part) => part.includes(text))) parts.push(text)
  }
  return parts.join(': ')
}

function withoutFrames(text: string): string {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '' && !isOurFrame(line))
    .join('\n')
    .replace(/^Error: /, '')
    .replaceAll(/^caused by: Error(?: \[\w+\])?: /gm, 'caused by: ')
}

function isOurFrame(line: string): boolean {
  if (!/^\s+at /.test(line)) return false
  const ours = OUR_FOLDERS.some((folder) => line.includes(`${ROOT}${folder}/`))
  return ours || /\(?(node:|<anonymous>)|\/node_modules\//.test(line)
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined
}
