/** Finds the job definitions in module files and folders. */

import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { isJobDefinition, type JobDefinition } from '@offstage/sdk/jobs'

const MODULE = /\.[cm]?[jt]s$/
const NOT_A_MODULE = /\.d\.[cm]?ts$|\.(test|spec)\.[cm]?[jt]s$/
const FILES_MAX = 10_000
/** As many as one executor can announce. */
const METHODS_MAX = 10_000

/**
 * Imports the modules and gathers every job definition they export, alone or in an array, by method.
 * Folders are searched with their subfolders, but for hidden ones, node_modules, tests and type
 * declarations.
 *
 * @throws Error naming the path for one that does not exist or has no definitions, a module that
 *   cannot be imported, a method defined twice.
 */
export async function loadJobs(paths: readonly string[]): Promise<Map<string, JobDefinition>> {
  const jobs = new Map<string, JobDefinition>()
  const origins = new Map<string, string>()
  for (const path of paths) {
    const before = jobs.size
    for (const file of await modulesIn(path)) {
      for (const definition of await definitionsOf(file)) {
        const { method } = definition
        const known = jobs.get(method)
        // The same object exported twice is one definition, such as by a module that gathers others.
        if (known === definition) continue
        if (known !== undefined) {
          throw new Error(`${method} is defined in ${origins.get(method)} and again in ${file}`)
        }
        jobs.set(method, definition)
        origins.set(method, file)
      }
    }
    if (jobs.size === before) throw new Error(`no job definitions (defineJob) in ${path}`)
    if (jobs.size > METHODS_MAX) throw new Error(`over ${METHODS_MAX} methods, with ${path}`)
  }
  return jobs
}

async function modulesIn(path: string): Promise<string[]> {
  const entry = await stat(path).catch((cause: unknown) => {
    throw new Error(`cannot find the job modules at ${path}`, { cause })
  })
  if (!entry.isDirectory()) return [path]
  const files = (await filesIn(path)).sort()
  if (files.length > FILES_MAX) throw new Error(`over ${FILES_MAX} modules in ${path}`)
  return files
}

async function filesIn(folder: string): Promise<string[]> {
  const found: string[] = []
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) {
      const hidden = entry.name.startsWith('.') || entry.name === 'node_modules'
      if (!hidden) found.push(...(await filesIn(path)))
    } else if (MODULE.test(entry.name) && !NOT_A_MODULE.test(entry.name)) {
      found.push(path)
    }
  }
  return found
}

async function definitionsOf(file: string): Promise<JobDefinition[]> {
  const exported: Record<string, unknown> = await import(pathToFileURL(file).href).catch(
    (cause: unknown) => {
      throw new Error(`cannot import the job module ${file}`, { cause })
    },
  )
  return Object.values(exported).flat().filter(isJobDefinition)
}
