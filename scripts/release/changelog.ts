/** Gives what is under *Unreleased* a version and a date, and leaves an empty *Unreleased* above it. */
export function cutChangelog(text: string, version: string, date: string): string {
  const heading = '## Unreleased\n'
  const at = text.indexOf(heading)
  if (at === -1) throw new Error('CHANGELOG.md has no "## Unreleased"')
  const after = text.slice(at + heading.length)
  if (notesOf(after).length === 0) throw new Error('CHANGELOG.md has nothing under "## Unreleased"')
  if (after.includes(`\n## ${version} `)) throw new Error(`CHANGELOG.md has ${version} already`)
  const intro = text.slice(0, at).replace('Nothing has been released yet; what', 'What')
  return `${intro}${heading}\n## ${version} (${date})\n${after}`
}

/** The lines of the first section: what a release tells of itself. */
export function notesOf(section: string): string {
  const end = section.search(/^## /m)
  return (end === -1 ? section : section.slice(0, end)).trim()
}
