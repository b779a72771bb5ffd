/** What docs/errors.md says of each reason. It comes with this package, so nobody needs the repository to read it. */
import { existsSync, readFileSync } from 'node:fs'
import { REASONS } from '@offstage/proto/reasons'

/** In a checkout the page itself, in the published package a copy of it. */
const PAGES = ['../../dist/errors.md', '../../../docs/errors.md']

/** The reasons that are explained: those of refused calls, then those of failed jobs. */
export function knownReasons(): string[] {
  return [...new Set([...Object.keys(REASONS), ...failureRows().map(({ reason }) => reason)])]
}

/** Where to read more of an error that a command shows; empty where nothing is known of its reason. */
export function helpLine(reason: string): string {
  return errorText(reason) === undefined ? '' : `what to do: offstage help errors ${reason}`
}

/** Every reason on a line of its own. */
export function errorList(): string {
  const line = (reason: string, text: string) => `  ${reason.padEnd(24)} ${text}`
  return [
    'Reasons of refused calls:',
    ...Object.entries(REASONS).map(([reason, { about }]) => line(reason, about)),
    'Reasons of failed jobs, beside those of your handlers:',
    ...failureRows().map(({ reason, text }) => line(reason, text)),
  ].join('\n')
}

/** What a reason means and what to do; undefined for one that is not known. */
export function errorText(reason: string): string | undefined {
  if (!/^[A-Z_]+$/.test(reason)) return undefined
  const page = readPage()
  const [, section] = new RegExp(`^(### ${reason}\\n.*?)(?=^##|$(?![^]))`, 'ms').exec(page) ?? []
  const failures = failureRows(page).filter((row) => row.reason === reason)
  const parts = [
    section?.replace(/^### /, '').trim(),
    ...failures.map(
      ({ text, retry }) => `A job failed with ${reason}: ${text}. Tried again: ${retry}.`,
    ),
  ].filter((part) => part !== undefined)
  return parts.length === 0 ? undefined : parts.join('\n\n')
}

/** The table of what Offstage ends jobs with. */
function failureRows(page = readPage()) {
  const rows = page.matchAll(/^\| `([A-Z_]+)` \| (.+) \| (.+) \|$/gm)
  return [...rows].map(([, reason = '', text = '', retry = '']) => ({ reason, text, retry }))
}

function readPage(): string {
  const found = PAGES.map((path) => new URL(path, import.meta.url)).find((url) => existsSync(url))
  if (found === undefined) throw new Error('the text of docs/errors.md is not in this package')
  return readFileSync(found, 'utf8')
}
