import { stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openPglite } from '@offstage/kit/database'
import { Offstage } from '@offstage/sdk'
import { until } from '@offstage/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { offstageProcess, type Setup, setup } from './testing/setup.ts'

/** Starts a job that runs until the file is there. */
async function startWaiting(it: Setup, path: string): Promise<string> {
  const { stdout } = await it.offstage('start', 'test.await-file', JSON.stringify({ path }))
  const jobId = stdout.trim()
  await until(async () => (await stateOf(it, jobId)) === 'running', {
    what: 'the job runs',
    timeoutMs: 50_000,
  })
  return jobId
}

async function stateOf(it: Setup, jobId: string): Promise<string> {
  const { stdout } = await it.offstage('get', jobId)
  return JSON.parse(stdout).state
}

describe('running services', () => {
  // Shared, since a new PGlite takes seconds; no test looks at what another one left.
  let it: Setup
  beforeAll(async () => {
    it = await setup()
  })
  afterAll(() => it[Symbol.asyncDispose]())

  test('a job started from the shell prints its result, and on the other stream what it reports', async () => {
    const line = ['start', 'test.greet', '{"name":"Ann"}', '--wait']
    const done = await offstageProcess(line, it.places)
    expect(done).toMatchObject({ code: 0, stdout: '"Hello Ann"\n' })
    expect(done.stderr).toMatch(/^job [0-9a-f-]{36}$/m)
    expect(done.stderr).toContain('info: the greeting is ready')
    expect(it.dev.stdout).toContain('PGlite runs without fsync')
  })

  test('parameters are read from standard input', async () => {
    const line = ['start', 'test.greet', '-', '--wait']
    const started = (input: string) => offstageProcess(line, it.places, input)
    expect(await started('{"name":"Ann"}\n')).toMatchObject({ code: 0, stdout: '"Hello Ann"\n' })
    const cut = await started('{"name":')
    expect(cut).toMatchObject({ code: 64, stderr: expect.stringContaining('It is not JSON') })
  })

  test('parameters are the bytes of a file, or of standard input, as a stream', async () => {
    const line = (...more: string[]) => ['start', 'test.count', '--wait', ...more]
    const file = import.meta.filename
    const { size } = await stat(file)
    const sent = await offstageProcess(line('--file', file), it.places)
    expect(sent).toMatchObject({ code: 0, stdout: `${size}\n` })
    const piped = await offstageProcess(line('--file', '-'), it.places, 'seven b')
    expect(piped).toMatchObject({ code: 0, stdout: '7\n' })
    const missing = await it.offstage(...line('--file', '/no/such/file'))
    expect(missing).toMatchObject({ code: 64, stderr: expect.stringContaining('ENOENT') })
    const both = await it.offstage('start', 'test.count', '{}', '--file', file)
    expect(both).toMatchObject({ code: 64, stderr: expect.stringContaining('both are given') })
  })

  test('a schedule is created, listed, changed, triggered, backfilled and removed', async () => {
    const line = ['nightly', 'test.due', '{}', '--cron', '30 2 * * *', '--zone', 'Europe/Berlin']
    const created = await it.offstage('schedules', 'create', ...line)
    expect(created).toMatchObject({ code: 0, stderr: '' })
    const { stdout } = await it.offstage('schedules')
    expect(stdout).toMatch(/^ID +METHOD +DUE +ZONE +NEXT +OVERLAP +OWNER +PAUSED\n/)
    expect(stdout).toMatch(
      /^nightly +test\.due +30 2 \* \* \* +Europe\/Berlin +\S+Z +skip +\S+ +-$/m,
    )
    await it.offstage('schedules', 'update', 'nightly', '--cron', '0 4 * * *', '--overlap', 'allow')
    await it.offstage('schedules', 'pause', 'nightly', '--reason', 'stock-taking')
    const told = JSON.parse((await it.offstage('schedules', '--json', 'get', 'nightly')).stdout)
    const wanted = { cron: ['0 4 * * *'], timeZone: 'Europe/Berlin', overlap: 'allow', params: {} }
    expect(told).toMatchObject({ ...wanted, isPaused: true, pauseReason: 'stock-taking' })
    await it.offstage('schedules', 'resume', 'nightly')
    const next = await it.offstage('schedules', 'next', 'nightly', '--limit', '2')
    expect(next.stdout).toMatch(/^(\d{4}-\d\d-\d\dT0[23]:00:00Z\n){2}$/)
    const job = (await it.offstage('schedules', 'trigger', 'nightly')).stdout.trim()
    expect((await it.offstage('wait', job)).stdout).toBe('"nightly"\n')
    const span = ['2026-01-01T00:00Z', '2026-01-03T00:00Z']
    const made = await it.offstage('schedules', 'backfill', 'nightly', ...span)
    expect(made.stdout.trim().split('\n')).toHaveLength(2)
    const idle = await it.offstage('schedules', 'update', 'nightly', '--cron', '0 0 30 2 *')
    expect(idle).toMatchObject({ code: 1, stderr: expect.stringContaining('never fires') })
    expect((await it.offstage('schedules', 'delete', 'nightly')).stdout).toBe('deleted\n')
    expect((await it.offstage('schedules')).stderr).toBe('no schedules\n')
  })

  test('data locks are listed with who holds them, and freed', async () => {
    expect((await it.offstage('locks')).stderr).toBe('no locks\n')
    await using offstage = await Offstage.connect({ scheduler: it.dev.ready[1] ?? '', user: 'ann' })
    await using lease = await offstage.lease()
    await using lock = await offstage.lock(['orders/17', 'orders/18'], { lease })
    const { stdout } = await it.offstage('locks')
    expect(stdout).toMatch(/^NAME +MODE +OWNER +SINCE +HELD BY +TOKEN +WAITING\n/)
    const token = lock.fencingToken
    expect(stdout).toMatch(new RegExp(`^orders/17 +exclusive +ann +\\S+Z +- +${token} +0$`, 'm'))
    const told = JSON.parse((await it.offstage('locks', '--json')).stdout)
    expect(told).toMatchObject([{ name: 'orders/17', owner: 'ann' }, { name: 'orders/18' }])
    expect((await it.offstage('locks', 'free', 'orders/17')).stdout).toBe('0\n')
    const freed = await it.offstage('locks', 'free', 'orders/17', 'orders/18', '--any-owner')
    expect(freed).toMatchObject({ code: 0, stdout: '2\n' })
  })

  test('limits of a method are set, shown, kept beside others, and taken away', async () => {
    const set = await it.offstage('limits', 'set', 'reports.build', '--max', '5', '--rate', '10/s')
    expect(set).toMatchObject({ code: 0, stderr: '' })
    const per = ['--per', 'params.tenant', '--max', '2', '--max-queued', '100']
    await it.offstage('limits', 'set', 'reports.build', ...per)
    const { stdout } = await it.offstage('limits')
    expect(stdout).toMatch(/^METHOD +PER +MAX +RATE +BURST +MAX QUEUED +BY\n/)
    expect(stdout).toMatch(/^reports\.build +- +5 +10\/s +10 +- +setting$/m)
    expect(stdout).toMatch(/^reports\.build +params\.tenant +2 +- +- +100 +setting$/m)
    const wrong = await it.offstage('limits', 'set', 'reports.build', '--per', 'tenant')
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining('Unknown variable') })
    const nothing = await it.offstage('limits', 'set', 'reports.build')
    expect(nothing).toMatchObject({ code: 64, stderr: expect.stringContaining('--max') })
    const cleared = await it.offstage('limits', 'clear', 'reports.build', '--json')
    expect(JSON.parse(cleared.stdout)).toEqual([])
  })

  test('how long finished jobs are kept is set for those that are named, and told as the flags take it', async () => {
    const set = await it.offstage('retention', 'set', '--kind', 'scheduled', '--max-age', '36h')
    expect(set).toMatchObject({ code: 0, stderr: '' })
    await it.offstage('retention', 'set', '--state', 'failed', '--max-count', 'unlimited')
    const { stdout } = await it.offstage('retention')
    expect(stdout).toMatch(/^KIND +STATE +MAX COUNT +MAX AGE\n/)
    expect(stdout).toMatch(/^program +succeeded +1000000 +7d$/m)
    expect(stdout).toMatch(/^scheduled +failed +unlimited +36h$/m)
    const reset = await it.offstage('retention', 'reset', '--json')
    expect(JSON.parse(reset.stdout)).toContainEqual({
      ...{ kind: 'scheduled', state: 'failed', countMax: 1_000_000, ageMsMax: 30 * 86_400_000 },
    })
    const preview = await it.offstage('retention', 'preview')
    expect(preview).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/^(no finished jobs\n)?$/),
    })
    const nothing = await it.offstage('retention', 'set', '--kind', 'system')
    expect(nothing).toMatchObject({ code: 64, stderr: expect.stringContaining('--max-count') })
  })

  test('a finished job is pinned, unpinned and deleted', async () => {
    const started = await it.offstage('start', 'test.greet', '{"name":"Al"}', '--wait')
    const [, jobId = ''] = /^job ([0-9a-f-]{36})$/m.exec(started.stderr) ?? []
    expect(await it.offstage('pin', jobId)).toMatchObject({ code: 0, stdout: 'pinned\n' })
    expect(JSON.parse((await it.offstage('get', jobId)).stdout)).toMatchObject({ pinned: true })
    expect(await it.offstage('unpin', jobId)).toMatchObject({ code: 0, stdout: 'unpinned\n' })
    expect(await it.offstage('delete', jobId)).toMatchObject({ code: 0, stdout: 'deleted\n' })
    const again = await it.offstage('delete', jobId)
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('JOB_NOT_FOUND') })
  })

  test('a method is paused and resumed, and a job that waits for that tells so', async () => {
    expect(await it.offstage('pause', 'test.greet')).toMatchObject({ code: 0, stdout: 'paused\n' })
    expect((await it.offstage('methods')).stdout).toMatch(/^test\.greet +inline +1 +- +yes/m)
    const jobId = (await it.offstage('start', 'test.greet', '{"name":"Ann"}')).stdout.trim()
    const explained = await it.offstage('explain', jobId)
    expect(explained).toMatchObject({ code: 0 })
    expect(explained.stdout).toMatch(/^The method test\.greet was paused by .* at .*Z\.\n$/)
    const resumed = await it.offstage('resume', 'test.greet')
    expect(resumed).toMatchObject({ code: 0, stdout: 'resumed\n' })
    const done = await it.offstage('wait', jobId)
    expect(done).toMatchObject({ code: 0, stdout: '"Hello Ann"\n' })
    const unknown = await it.offstage('pause', 'test.gret')
    expect(unknown).toMatchObject({ code: 1, stderr: expect.stringContaining('METHOD_UNKNOWN') })
  })

  test('the namespace is had exclusively, which is told, and left', async () => {
    const nobody = await it.offstage('exclusive', 'show')
    expect(nobody).toMatchObject({ code: 0, stderr: 'nobody has the namespace exclusively\n' })
    expect((await it.offstage('exclusive', 'show', '--json')).stdout.trim()).toBe('null')
    await using holder = await Offstage.connect({ scheduler: it.places.OFFSTAGE_SCHEDULER ?? '' })
    await using mode = await holder.exclusive({ timeoutMs: 30_000 })
    const shown = await it.offstage('exclusive', 'show')
    expect(shown.stdout).toMatch(/^OWNER +SINCE +UNTIL\n\S+ +\S+Z +\S+Z\n$/)
    const refused = await it.offstage('start', 'test.greet', '{"name":"Ann"}')
    expect(refused).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('NAMESPACE_EXCLUSIVE'),
    })
    const own = ['start', 'test.greet', '{"name":"Al"}', '--lease', mode.leaseId, '--wait']
    expect(await it.offstage(...own)).toMatchObject({ code: 0, stdout: '"Hello Al"\n' })
    const waiting = await it.offstage('start', 'test.greet', '{"name":"Ann"}', '--automatic')
    expect(await it.offstage('exclusive', 'leave')).toMatchObject({ code: 0, stdout: 'left\n' })
    const done = await it.offstage('wait', waiting.stdout.trim())
    expect(done).toMatchObject({ code: 0, stdout: '"Hello Ann"\n' })
  })

  test('a pool is paused and resumed, whatever is in it, and told with the methods', async () => {
    const paused = await it.offstage('pause', '--pool', 'default', '--cancel-running')
    expect(paused).toMatchObject({ code: 0, stdout: 'paused\n' })
    expect((await it.offstage('methods')).stderr).toContain('paused pools: default\n')
    const jobId = (await it.offstage('start', 'test.greet', '{"name":"Ann"}')).stdout.trim()
    const explained = await it.offstage('explain', jobId)
    expect(explained.stdout).toMatch(/^The pool default was paused by .* at .*Z\.\n$/)
    const resumed = await it.offstage('resume', '--pool', 'default')
    expect(resumed).toMatchObject({ code: 0, stdout: 'resumed\n' })
    expect(await it.offstage('wait', jobId)).toMatchObject({ code: 0, stdout: '"Hello Ann"\n' })
    const both = await it.offstage('pause', 'test.greet', '--pool', 'gpu')
    expect(both).toMatchObject({ code: 64, stderr: expect.stringContaining('not both') })
  })

  test('jobs are counted, executors are listed, and a job tells its parameters and attempts', async () => {
    await it.offstage('start', 'test.bytes', '--wait')
    const started = await it.offstage('start', 'test.greet', '{"name":"Bob"}', '--wait')
    const [, jobId = ''] = /^job (\S+)$/m.exec(started.stderr) ?? []
    const record = JSON.parse((await it.offstage('get', jobId)).stdout)
    expect(record).toMatchObject({ rootJobId: jobId, params: { name: 'Bob' } })
    expect(record.attempts).toMatchObject([{ attempt: 1, lane: 'inline', outcome: 'succeeded' }])
    const counted = await it.offstage('count', '--by', 'method', 'state', '--method', 'test.bytes')
    expect(counted.stdout).toMatch(/^METHOD +STATE +JOBS\ntest\.bytes +succeeded +\d+\n$/)
    const executors = JSON.parse((await it.offstage('executors', '--json')).stdout)
    expect(executors).toHaveLength(1)
    expect(executors[0].methods).toContain('test.greet')
    expect((await it.offstage('executors')).stdout).toMatch(
      /inline 0\/\d+, .* default .*test\.bytes/,
    )
    const { stdout } = await it.offstage('start', 'test.bytes', '--pool', 'gpu')
    const { stdout: why } = await it.offstage('explain', stdout.trim())
    expect(why).toContain('serves the pool gpu')
  })

  test('what was done on the jobs of others is listed, for all and by user', async () => {
    const started = await it.offstage('--user', 'ann', 'start', 'test.greet', '{"name":"Ann"}')
    const jobId = started.stdout.trim()
    await it.offstage('--user', 'olga', 'wait', jobId)
    const listed = await it.offstage('acts', '--since', '1d', '--by', 'olga')
    expect(listed.stdout).toMatch(
      /^TIME +USER .*\n\S+Z +olga +admin +JobService\.\w+ +OK +\S+ +ann /,
    )
    const acts = JSON.parse((await it.offstage('acts', '--json')).stdout)
    expect(acts).toContainEqual(expect.objectContaining({ targets: [jobId], owners: ['ann'] }))
    expect((await it.offstage('acts', '--by', 'nobody')).stderr).toContain('no acts')
    expect((await it.offstage('acts', '--values', '--by', 'nobody')).stderr).toContain('no acts')
  })

  test('a result of bytes comes out as it is', async () => {
    const { bytes } = await offstageProcess(['start', 'test.bytes', '--wait'], it.places)
    expect(bytes).toEqual(Buffer.from([0, 255, 10]))
  })

  test('jobs can be listed, looked at, waited for and canceled', async () => {
    const jobId = await startWaiting(it, join(it.folder, 'never'))
    let lines: string[] = []
    const listsProgress = async () => {
      lines = (await it.offstage('list', '--state', 'running')).stdout.split('\n')
      return lines[1]?.includes('  1 %') === true
    }
    await until(listsProgress, { what: 'the progress is listed', timeoutMs: 50_000 })
    expect(lines[0]).toMatch(/^JOB +STATE +CREATED +DURATION +PROGRESS +METHOD/)
    expect(lines[1]).toMatch(new RegExp(`^${jobId}  running  .*s +1 % +test.await-file .*waiting`))
    const none = await it.offstage('list', '--state', 'failed', '--method', 'test.await-file')
    expect(none).toMatchObject({ code: 0, stdout: '', stderr: 'no jobs\n' })
    const said = await it.offstage('jobs', 'state:running method:test.* age:<1h')
    expect(said.stdout).toContain(jobId)
    const wrong = await it.offstage('jobs', 'state:running stat:x')
    expect(wrong.code).not.toBe(0)
    expect(wrong.stderr).toContain('at character 15: stat is no field')

    const early = await it.offstage('wait', jobId, '--timeout', '1ms')
    expect(early).toMatchObject({ code: 3, stdout: '' })
    const params = JSON.stringify({ path: join(it.folder, 'never') })
    const started = ['start', 'test.await-file', params, '--wait', '--timeout', '1ms'] as const
    const late = await it.offstage(...started)
    expect(late).toMatchObject({ code: 3, stdout: '' })
    expect(late.stderr).toMatch(/is still (queued|running)/)
    expect((await it.offstage('cancel', jobId, '--reason', 'enough')).code).toBe(0)
    const canceled = await it.offstage('wait', jobId)
    expect(canceled.code).toBe(2)
    expect(canceled.stderr).toContain(`job ${jobId} was canceled`)
  })

  test('jobs that a filter selects are counted first, then canceled, started anew and deleted', async () => {
    const start = ['--user', 'many', 'start', 'test.await-file']
    const params = JSON.stringify({ path: join(it.folder, 'never') })
    for (let n = 0; n < 3; n += 1) await it.offstage(...start, params)
    const filter = ['--filter', 'owner:many']
    const dry = await it.offstage('cancel', ...filter, '--dry-run')
    expect(JSON.parse(dry.stdout)).toMatchObject({ count: 3, isMore: false })
    const unasked = await it.offstage('cancel', ...filter)
    expect(unasked).toMatchObject({ code: 64, stdout: '' })
    expect(unasked.stderr).toContain('give --yes, after a look at --dry-run')
    const canceled = await it.offstage('cancel', ...filter, '--yes', '--grace', '20s')
    expect(JSON.parse(canceled.stdout)).toEqual({ matched: 3, done: 3, skipped: {} })
    expect(canceled.stderr).toContain('3 of 3 asked to end')
    const ended = async () =>
      JSON.parse((await it.offstage('delete', ...filter, '--dry-run')).stdout).count === 3
    await until(ended, { what: 'all to have ended', timeoutMs: 50_000 })
    const anew = await it.offstage('retry', ...filter, '--require-version', 'gone', '--yes')
    expect(JSON.parse(anew.stdout)).toMatchObject({ done: 3 })
    const [again] = JSON.parse((await it.offstage('jobs', 'owner:many', '--json')).stdout)
    expect(again).toMatchObject({ state: 'queued', requiredVersion: 'gone' })
    await it.offstage('cancel', ...filter, '--yes')
    const deleted = await it.offstage('delete', ...filter, '-y')
    expect(JSON.parse(deleted.stdout)).toMatchObject({ done: 3 })
    expect(await it.offstage('retry', ...filter, '-y')).toMatchObject({ stderr: 'no jobs\n' })
    const neither = await it.offstage('retry')
    expect(neither.stderr).toContain("name a job, or give --filter '…', or --all")
  })

  test('Ctrl-C ends a wait and not the job, and says how to wait again', async () => {
    const path = join(it.folder, 'after-ctrl-c')
    const args = ['test.await-file', JSON.stringify({ path })]
    const starter = await it.spawn(['start', ...args, '--wait'], /^1 % {2}waiting for the file$/)
    expect(await starter.kill('SIGINT')).toEqual({ code: 130, signal: null })
    const [, jobId = ''] = /^job ([0-9a-f-]{36})$/m.exec(starter.stderr) ?? []
    expect(starter.stderr).toContain(`the job goes on: offstage wait ${jobId}`)

    const waiter = await it.spawn(['wait', jobId], /^1 %/)
    expect(await waiter.kill('SIGINT')).toEqual({ code: 130, signal: null })
    await writeFile(path, '')
    expect(await it.offstage('wait', jobId)).toMatchObject({ code: 0, stdout: '"attempt 1"\n' })
  })

  test('all that is known of a job is shown, and of each that is listed', async () => {
    const { stdout } = await it.offstage('start', 'test.greet', '{"name":"Al"}', '--key', 'al')
    const jobId = stdout.trim()
    await it.offstage('wait', jobId)
    const known = {
      id: jobId,
      method: 'test.greet',
      state: 'succeeded',
      kind: 'program',
      lane: 'inline',
      owner: 'dev',
      key: 'al',
      attempt: 1,
      retryPolicy: { maxAttempts: 1, initialBackoff: '1s', maxBackoff: '300s' },
      deadlines: {},
      traceId: expect.stringMatching(/^([0-9a-f]{32})?$/),
      completion: { state: 'succeeded', finishTime: expect.stringMatching(/^2/) },
    }
    const job = JSON.parse((await it.offstage('get', jobId)).stdout)
    expect(job).toMatchObject({ ...known, completion: { result: 'Hello Al' } })
    const message = { sequence: 1, severity: 'info', text: 'the greeting is ready' }
    expect(job.messages).toMatchObject([message])
    const listed = await it.offstage('list', '--method', 'test.greet', '--json')
    const jobs: { id: string }[] = JSON.parse(listed.stdout)
    expect(jobs.find(({ id }) => id === jobId)).toMatchObject(known)
  })

  test('as many jobs are listed as are asked for, however many the scheduler gives at once', async () => {
    {
      await using offstage = await Offstage.connect({ scheduler: it.dev.ready[1] ?? '' })
      await offstage.startJobs('test.bytes', Array(1_100).fill({}), { startAfter: 3_600_000 })
    }
    for (const [limit, count] of [
      [1_050, 1_050],
      [5_000, 1_100],
    ]) {
      const listed = await it.offstage('list', '--state', 'scheduled', '--limit', `${limit}`)
      const ids = listed.stdout
        .split('\n')
        .slice(1, -1)
        .map((line) => line.split(' ')[0])
      expect(new Set(ids).size).toBe(count)
      expect(ids).toHaveLength(count ?? 0)
    }
  })

  test('a canceled job tells how its cancel ended', async () => {
    const jobId = await startWaiting(it, join(it.folder, 'no-file'))
    await it.offstage('cancel', jobId)
    await it.offstage('wait', jobId)
    const job = JSON.parse((await it.offstage('get', jobId)).stdout)
    expect(job).toMatchObject({ state: 'canceled', completion: { cancelOutcome: 'stopped' } })
  })

  test('a job is started with deadlines, and one that has failed anew, under its id', async () => {
    const flags = [
      '--total-deadline',
      '5m',
      '--heartbeat-deadline',
      '30s',
      '--queue-deadline',
      '60s',
    ]
    const started = await it.offstage('start', 'test.fail', '{}', ...flags)
    const jobId = started.stdout.trim()
    await it.offstage('wait', jobId)
    const again = await it.offstage('retry', jobId, '--wait')
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('no more paper') })
    const record = JSON.parse((await it.offstage('get', jobId)).stdout)
    expect(record).toMatchObject({
      attempt: 2,
      deadlines: { total: '300s', heartbeat: '30s', queue: '60s' },
      attempts: [{ errorReason: 'RangeError' }, { errorReason: 'RangeError' }],
    })
    const done = await it.offstage('start', 'test.greet', '{"name":"Cy"}', '--wait')
    const [, other = ''] = /^job (\S+)$/m.exec(done.stderr) ?? []
    const refused = await it.offstage('retry', other)
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('JOB_NOT_RETRYABLE') })
    const short = await it.offstage('start', 'test.greet', '{}', '--heartbeat-deadline', '10ms')
    expect(short.stderr).toContain('deadlines.heartbeatMs must be at least 1000')
  })

  test('a job that fails says why and gives exit code 1', async () => {
    const done = await it.offstage('start', 'test.fail', '--wait')
    expect(done).toMatchObject({ code: 1, stdout: '' })
    expect(done.stderr).toContain('no more paper')
  })

  test('parameters that do not fit are told in one line, without frames of ours', async () => {
    const done = await it.offstage('start', 'test.greet', '{"nome":"Ann"}', '--wait')
    expect(done).toMatchObject({ code: 1, stdout: '' })
    const [refusal, help, ...more] = done.stderr.trimEnd().split('\n')
    expect(refusal).toBe(
      'offstage: the parameters do not fit test.greet: params.name: is missing (PARAMS_INVALID)',
    )
    expect(help).toBe('what to do: offstage help errors PARAMS_INVALID')
    expect(more).toEqual([])
  })

  test('an unknown method and a missing job are named', async () => {
    const unknown = await it.offstage('start', 'test.great')
    expect(unknown).toMatchObject({ code: 1, stdout: '' })
    expect(unknown.stderr).toContain('"test.great"')
    const missing = await it.offstage('get', '00000000-0000-7000-8000-000000000000')
    expect(missing.code).toBe(1)
    expect(missing.stderr).toContain('JOB_NOT_FOUND')
    expect(missing.stderr).toContain('what to do: offstage help errors JOB_NOT_FOUND')
  })

  test('their data directory is refused to another process and not harmed', async () => {
    const data = join(it.folder, 'data')
    const done = await offstageProcess(['dev', '--port-base', '0', '--data-dir', data])
    expect(done.code).toBe(78)
    expect(done.stderr).toContain(`in use by process ${it.dev.pid}`)
    const after = await it.offstage('start', 'test.greet', '{"name":"Cy"}', '--wait')
    expect(after).toMatchObject({ code: 0, stdout: '"Hello Cy"\n' })
  })

  test('jobs outlive a killed process: what had ended is known, what ran is run again', {
    timeout: 120_000,
  }, async () => {
    const first = await it.offstage('start', 'test.greet', '{"name":"Bo"}')
    const ended = first.stdout.trim()
    await it.offstage('wait', ended)
    const file = join(it.folder, 'file')
    const running = await startWaiting(it, file)

    await it.dev.kill('SIGKILL')
    await writeFile(file, '')
    await it.restart()

    expect(await it.offstage('wait', ended)).toMatchObject({ code: 0, stdout: '"Hello Bo"\n' })
    expect(await it.offstage('wait', running)).toMatchObject({ code: 0, stdout: '"attempt 2"\n' })
  })

  test('a job is shown whatever lies in it, such as a result that is not the JSON it says it is', {
    timeout: 120_000,
  }, async () => {
    const started = await it.offstage('start', 'test.greet', '{"name":"Bo"}')
    const jobId = started.stdout.trim()
    await it.offstage('wait', jobId)
    await it.dev.kill('SIGTERM')
    {
      // As an executor in another language may have sent it to an older scheduler.
      await using database = await openPglite({ dataDir: join(it.folder, 'data', 'database') })
      const text = `UPDATE offstage.jobs SET result = '{not json' WHERE id = '${jobId}'`
      expect((await database.query({ name: '', text })).rowCount).toBe(1)
    }
    await it.restart()

    const waited = await it.offstage('wait', jobId)
    expect(waited).toMatchObject({ code: 4, stdout: '{not json' })
    expect(waited.stderr).toContain(`job ${jobId} succeeded, but its result is not what it says`)
    const shown = await it.offstage('get', jobId)
    expect(shown.code).toBe(0)
    expect(JSON.parse(shown.stdout)).toMatchObject({
      id: jobId,
      completion: { result: { problem: 'it is not the JSON it says it is', text: '{not json' } },
    })
  })

  // It ends the services, so it is the last.
  test('SIGTERM ends them in good order', async () => {
    expect(await it.dev.kill('SIGTERM')).toEqual({ code: 0, signal: null })
    expect(it.dev.stderr).toBe('')
    // Nor a line of the log, such as one of a NATS that was never there; but of a thread that a busy machine kept waiting.
    const lines = it.dev.stdout.trimEnd().split('\n')
    const said = lines.filter((line) => !line.includes('blocked the event loop'))
    expect(said.at(-1)).toMatch(/^offstage dev is ready/)
  })
})

test('a service that is not there is named, with the variable that says where it is', async () => {
  const done = await offstageProcess(['list'], { OFFSTAGE_SCHEDULER: '127.0.0.1:1' })
  expect(done.code).toBe(69)
  expect(done.stderr).toContain('127.0.0.1:1')
  expect(done.stderr).toContain('OFFSTAGE_SCHEDULER')
})
