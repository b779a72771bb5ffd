/**
 * Has a real API server look at every overlay, without keeping anything: what it warns of counts as a fault. KUBECTL is the command to
 * ask it by, `kubectl` where it is not set. The kinds of operators that are not there, and the namespace, are made for the time it
 * takes.
 */
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { folderOf, overlays, renderText } from './render.ts'
import { productionWith } from './with-components.ts'

const SCHEMAS = new URL('schemas/', import.meta.url)
const NAMESPACE = new URL('../../deploy/k8s/base/namespace.yaml', import.meta.url)
const APPLY = ['apply', '--server-side', '--field-manager=offstage-dry-run']

const made: string[] = []
try {
  for (const file of readdirSync(SCHEMAS)) {
    const name = file.replace(/\.json$/, '')
    if (name !== 'kubernetes')
      make(`customresourcedefinition/${name}`, read(new URL(file, SCHEMAS)))
  }
  make('namespace/offstage', read(NAMESPACE))
  const optional = productionWith('cert-manager', 'monitoring')
  const all = overlays().map((name) => [name, renderText(folderOf(name))] as const)
  for (const [overlay, text] of [...all, ['cert-manager and monitoring', optional] as const]) {
    const manifests = await text
    const dry = [
      ...APPLY,
      '--dry-run=server',
      '--validate=strict',
      '--warnings-as-errors',
      '-f',
      '-',
    ]
    const { status, stdout, stderr } = kubectl(dry, manifests)
    const objects = stdout.trim().split('\n').length
    console.log(`${overlay}: ${status === 0 ? `${objects} objects taken` : 'refused'}`)
    if (status === 0) continue
    console.error(stderr.trim())
    process.exitCode = 1
  }
} finally {
  if (made.length > 0) kubectl(['delete', '--timeout=60s', ...made])
}

/** Makes it unless it is there. */
function make(name: string, manifest: string): void {
  if (kubectl(['get', name]).status === 0) return
  const { status, stderr } = kubectl([...APPLY, '-f', '-'], manifest)
  if (status !== 0) throw new Error(`cannot make ${name}: ${stderr.trim()}`)
  made.push(name)
  if (name.startsWith('custom')) kubectl(['wait', '--for=condition=Established', name])
}

function kubectl(arguments_: readonly string[], input?: string) {
  const [program = 'kubectl', ...before] = (process.env.KUBECTL ?? 'kubectl').split(' ')
  const done = spawnSync(program, [...before, ...arguments_], { input, encoding: 'utf8' })
  if (done.error !== undefined) throw done.error
  return done
}

function read(file: URL): string {
  return readFileSync(file, 'utf8')
}
