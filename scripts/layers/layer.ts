import { basename } from 'node:path'
import { type Import, targetOf } from './imports.ts'

/** The folder of a package: `kit`, `services/storage`, `examples`. */
export function packageOf(file: string): string {
  return /^(?:services\/)?[^/]+/.exec(file)?.[0] ?? file
}

/**
 * The room that a file lies in, which is called the same in each service (`store`), or its name where it stands beside
 * the rooms (`ports.ts`). The SDK's rooms have its name before theirs (`sdk/jobs`). Other packages have none.
 */
export function layerOf(file: string): string | undefined {
  const [, name, inSrc = ''] = /^(services|sdk)\/(?:[^/]+\/)??src\/(.+)$/.exec(file) ?? []
  if (name === undefined) return undefined
  const room = inSrc.includes('/') ? inSrc.slice(0, inSrc.indexOf('/')) : basename(inSrc)
  return name === 'sdk' ? `sdk/${room}` : room
}

/**
 * What a row may call it, the exact name first: a room, a file beside the rooms, a module. A part of a package is also
 * allowed by the package's name, and what comes with Node by `node:*`.
 */
export function wantedBy(each: Import): string[] {
  const { specifier } = each
  if (specifier.startsWith('.')) return [layerOf(targetOf(each)) ?? targetOf(each)]
  if (specifier.startsWith('node:')) return [specifier, 'node:*']
  if (!specifier.startsWith('@offstage/')) return [specifier]
  const part = specifier.slice('@offstage/'.length)
  return [part, part.slice(0, part.indexOf('/'))]
}
