/** What `jobs.labels` holds: an object of texts without a version, since SQL filters by it. */
import { namedTexts, StoredShapeError } from './stored-shape.ts'

export function labelsFromStored(stored: unknown): Readonly<Record<string, string>> | undefined {
  if (stored === null) return undefined
  const labels = namedTexts.read(stored)
  if (labels === undefined) throw new StoredShapeError('stored labels are no object of texts')
  return labels
}
