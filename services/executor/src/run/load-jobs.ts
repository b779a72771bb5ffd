/** Finds the job definitions in module files and folders. */

import { pathToFileURL } from 'node:url'
import { LIMITS } from '@offstage/proto/limits'
import { isJobDefinition, type JobDefinition } from '@offstage/sdk/jobs'
import { modulesIn } from './find-modules.ts'

/**
 * Imports the modules and gathers every job definition they export, alone or in an array, by method.
 * Folders are searched with their subfolders.
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
    if (jobs.size > LIMITS.methodsMax)
      throw new Error(`over ${LIMITS.methodsMax} methods, with ${path}`)
  }
  return jobs
}

async function definitionsOf(file: string): Promise<JobDefinition[]> {
  const exported: Record<string, unknown> = await import(pathToFileURL(file).href).catch(
    (cause: unknown) => {
      throw new Error(`cannot import the job module ${file}`, { cause })
    },
  )
  return Object.values(exported).flat().filter(isJobDefinition)
}
