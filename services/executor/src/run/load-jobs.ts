/** Finds the definitions of jobs and schedules in module files and folders. */

import { pathToFileURL } from 'node:url'
import { LIMITS } from '@offstage/proto/limits'
import { isScheduleDefinition, type ScheduleDefinition } from '@offstage/sdk/client'
import { isJobDefinition, type JobDefinition } from '@offstage/sdk/jobs'
import { modulesIn } from './find-modules.ts'

export interface LoadedModules {
  /** By method. */
  readonly jobs: Map<string, JobDefinition>
  readonly schedules: readonly ScheduleDefinition[]
}

/**
 * Imports the modules and gathers every definition they export, alone or in an array. Folders are searched with their subfolders.
 *
 * @throws Error naming the path for one that does not exist or has no definitions, a module that
 *   cannot be imported, a method or schedule defined twice, a schedule of a job that none of them defines.
 */
export async function loadJobs(paths: readonly string[]): Promise<LoadedModules> {
  const jobs = new Gathered<JobDefinition>('methods', LIMITS.methodsMax)
  const schedules = new Gathered<ScheduleDefinition>('schedules', LIMITS.declaredSchedulesMax)
  for (const path of paths) {
    const before = jobs.found.size + schedules.found.size
    for (const file of await modulesIn(path)) {
      for (const exported of await exportsOf(file)) {
        if (isJobDefinition(exported)) jobs.add(exported.method, exported, file)
        if (isScheduleDefinition(exported)) schedules.add(exported.id, exported, file)
      }
    }
    if (jobs.found.size + schedules.found.size === before) {
      throw new Error(`no job definitions (defineJob) in ${path}`)
    }
    jobs.checkCount(path)
    schedules.checkCount(path)
  }
  for (const { id, job } of schedules.found.values()) {
    if (job === undefined || jobs.found.has(job.method)) continue
    throw new Error(
      `the schedule ${id} starts ${job.method}, which none of the job modules defines: define it where that job is run`,
    )
  }
  return { jobs: jobs.found, schedules: [...schedules.found.values()] }
}

class Gathered<T> {
  readonly found = new Map<string, T>()
  readonly #origins = new Map<string, string>()
  readonly #what: string
  readonly #countMax: number

  constructor(what: string, countMax: number) {
    this.#what = what
    this.#countMax = countMax
  }

  add(name: string, definition: T, file: string): void {
    const known = this.found.get(name)
    // The same object exported twice is one definition, such as by a module that gathers others.
    if (known === definition) return
    if (known !== undefined) {
      throw new Error(`${name} is defined in ${this.#origins.get(name)} and again in ${file}`)
    }
    this.found.set(name, definition)
    this.#origins.set(name, file)
  }

  checkCount(path: string): void {
    if (this.found.size <= this.#countMax) return
    throw new Error(`over ${this.#countMax} ${this.#what}, with ${path}`)
  }
}

async function exportsOf(file: string): Promise<unknown[]> {
  const exported: Record<string, unknown> = await import(pathToFileURL(file).href).catch(
    (cause: unknown) => {
      throw new Error(`cannot import the job module ${file}`, { cause })
    },
  )
  return Object.values(exported).flat()
}
