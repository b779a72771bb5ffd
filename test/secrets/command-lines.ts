/** What the command line says to who calls it well, and to who does not. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { programOf, spawnProcess } from '@offstage/testkit'
import type { Planted } from './place.ts'
import type { Said } from './planted.ts'

const main = fileURLToPath(new URL('../../cli/src/main.ts', import.meta.url))

/** `jobId`: of a job that failed. */
export async function commandLines(it: Planted, jobId: string): Promise<Said[]> {
  const { secrets, files, tlsKeyFile } = it
  const list = ['list']
  const calls: readonly (readonly [RegExp, readonly string[], NodeJS.ProcessEnv?])[] = [
    [/of ann/, ['start', 'telling.fail', '{"text":"of ann"}', '--wait']],
    [new RegExp(jobId), ['get', jobId]],
    [/./, ['explain', jobId]],
    [/JOB_|queued|running/i, ['retry', jobId]],
    [/TOKEN_EXPIRED/, list, { OFFSTAGE_TOKEN_FILE: files.expiredToken }],
    [/TOKEN_/, list, { OFFSTAGE_TOKEN_FILE: files.brokenToken }],
    [/characters that no token has/, list, { OFFSTAGE_TOKEN_FILE: files.signingKey }],
    [/OFFSTAGE_TOKEN_FILE: is set although/, list, { OFFSTAGE_TOKEN: secrets.userToken }],
    [/OFFSTAGE_TLS_CA: /, list, { OFFSTAGE_TLS_CA: tlsKeyFile }],
    [/cannot reach the scheduler/, list, { OFFSTAGE_SCHEDULER: '127.0.0.1:1' }],
    ...[
      `https://ann:${secrets.addressPassword}@127.0.0.1:1`,
      `${secrets.addressPassword}@127.0.0.1:1`,
    ].flatMap((address): [RegExp, string[], NodeJS.ProcessEnv?][] => [
      [/OFFSTAGE_SCHEDULER: must be host:port/, list, { OFFSTAGE_SCHEDULER: address }],
      [/--scheduler <host:port>/, [...list, '--scheduler', address]],
    ]),
    [/unknown option '--token'/, [...list, `--token=${secrets.userToken}`]],
  ]
  const said = calls.map(async ([has, args, env]) => ({ has, text: await run(it, args, env) }))
  return Promise.all([...said, dev(it)])
}

function run(it: Planted, args: readonly string[], given: NodeJS.ProcessEnv = {}) {
  const { cluster, files } = it
  const env = {
    ...process.env,
    ...it.envOf('executor'),
    OFFSTAGE_SCHEDULER: cluster.schedulers[0]?.address,
    OFFSTAGE_STORAGE: cluster.storage,
    OFFSTAGE_TOKEN_FILE: files.userToken,
    ...given,
  }
  return new Promise<string>((resolve) => {
    execFile(process.execPath, [programOf(main), ...args], { env }, (_error, stdout, stderr) =>
      resolve(stdout + stderr),
    )
  })
}

/** In an environment that was made for the services. */
async function dev(it: Planted): Promise<Said> {
  const folder = await mkdtemp(join(tmpdir(), 'offstage-secrets-'))
  const child = await spawnProcess({
    main,
    args: ['dev', '--port-base', '0', '--data-dir', folder, '--jobs', fileURLToPath(it.jobs)],
    // The executor reads its token from one place only.
    env: {
      ...it.envOf('scheduler'),
      ...it.envOf('storage'),
      ...it.envOf('executor'),
      OFFSTAGE_TOKEN: '',
    },
    ready: /is ready: /,
  })
  await child.kill('SIGTERM')
  await rm(folder, { recursive: true })
  return { has: /"level":"debug"/, text: child.stdout + child.stderr }
}
