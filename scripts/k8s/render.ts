import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { parseAllDocuments } from 'yaml'
import type { Manifest } from './manifests.ts'

const run = promisify(execFile)
const ROOT = new URL('../../', import.meta.url)
const OVERLAYS = new URL('deploy/k8s/overlays/', ROOT)
const OUTPUT_BYTES_MAX = 16 * 1024 * 1024

/** Programs that render, in the order in which they are looked for. */
const PROGRAMS: readonly (readonly [program: string, ...arguments_: string[]])[] = [
  [fileURLToPath(new URL('.offstage/bin/kustomize', ROOT)), 'build'],
  ['kustomize', 'build'],
  ['kubectl', 'kustomize'],
]

export function overlays(): string[] {
  return readdirSync(OVERLAYS).sort()
}

export function folderOf(overlay: string): string {
  return fileURLToPath(new URL(overlay, OVERLAYS))
}

/** Renders a folder with a kustomization. */
export async function render(folder: string): Promise<Manifest[]> {
  return parseManifests(await renderText(folder))
}

export function parseManifests(text: string): Manifest[] {
  return parseAllDocuments(text).map((document) => {
    if (document.errors[0] !== undefined) throw document.errors[0]
    return document.toJS() as Manifest
  })
}

export async function renderText(folder: string): Promise<string> {
  for (const [program, ...before] of PROGRAMS) {
    try {
      const options = { maxBuffer: OUTPUT_BYTES_MAX }
      const { stdout, stderr } = await run(program, [...before, folder], options)
      // What is out of date in a kustomization is told there.
      if (stderr !== '') throw new Error(`${folder}: ${stderr.trim()}`)
      return stdout
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }
  throw new Error(
    'neither kustomize nor kubectl is there: run make kustomize, which builds it with Go, or install one of them ' +
      '(https://kubectl.docs.kubernetes.io/installation/kustomize)',
  )
}
