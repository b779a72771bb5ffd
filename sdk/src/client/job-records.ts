import { checkOptions } from '../arguments/check-options.ts'
import { text } from '../arguments/rules.ts'
import type { Calls } from './calls.ts'
import {
  filterFrom,
  type JobFilter,
  type JobInfo,
  type JobPage,
  jobInfoFrom,
  PAGE_RULES,
  type PageOptions,
} from './job-info.ts'
import type { RetryJobOptions } from './options.ts'
import { retryJob } from './retry-job.ts'
import { explanationFrom, type WaitExplanation } from './wait-explanation.ts'

/** The history as one identity sees it: listing, retrying, deleting. */
export class JobRecords {
  readonly #calls: Calls

  constructor(calls: Calls) {
    this.#calls = calls
  }

  async page(filter: JobFilter, options: PageOptions): Promise<JobPage> {
    checkOptions('a listing', options, PAGE_RULES)
    const { pageSize = 0, pageToken = '', signal } = options
    const { jobs } = this.#calls.connection
    const { namespace } = this.#calls.identity
    const request = { namespace, filter: filterFrom(filter), pageSize, pageToken, view: 0 } as const
    const page = await this.#calls.callScheduler(jobs.listJobs.bind(jobs), request, { signal })
    return { jobs: page.jobs.map(jobInfoFrom), nextPageToken: page.nextPageToken }
  }

  async *list(filter: JobFilter, options: PageOptions): AsyncGenerator<JobInfo, void, undefined> {
    for (let pageToken = ''; ; ) {
      const page: JobPage = await this.page(filter, { ...options, pageToken })
      yield* page.jobs
      pageToken = page.nextPageToken
      if (pageToken === '') return
    }
  }

  async explain(jobId: string): Promise<WaitExplanation> {
    text(jobId, 'the id')
    const { jobs } = this.#calls.connection
    const { namespace } = this.#calls.identity
    const request = { namespace, jobId }
    return explanationFrom(await this.#calls.callScheduler(jobs.explainJob.bind(jobs), request))
  }

  async retry(jobId: string, options: RetryJobOptions): Promise<JobInfo> {
    text(jobId, 'the id')
    return jobInfoFrom(await retryJob(this.#calls, jobId, options))
  }

  async delete(jobId: string): Promise<void> {
    text(jobId, 'the id')
    const { jobs } = this.#calls.connection
    const { namespace } = this.#calls.identity
    const request = { namespace, jobId }
    const once = { attempts: 1 }
    await this.#calls.callScheduler(jobs.deleteJob.bind(jobs), request, once)
  }

  async pin(jobId: string, pinned: boolean): Promise<void> {
    text(jobId, 'the id')
    const { jobs } = this.#calls.connection
    const { namespace } = this.#calls.identity
    const call = pinned ? jobs.pinJob.bind(jobs) : jobs.unpinJob.bind(jobs)
    await this.#calls.callScheduler(call, { namespace, jobId })
  }
}
