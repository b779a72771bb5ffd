import { readdirSync, readFileSync } from 'node:fs'
import { ConfigError, renderConfig, unknownVariables } from '@offstage/kit/config'
import { describe, expect, test } from 'vitest'
import { executorFields, readExecutorConfig } from '../services/executor/src/config.ts'
import { readSchedulerConfig, schedulerFields } from '../services/scheduler/src/config.ts'
import { readStorageConfig, storageFields } from '../services/storage/src/config.ts'

const text = readFileSync(new URL('configuration.md', import.meta.url), 'utf8')

/** The rows of one section's table: variable and default as they are written. */
function tableOf(section: string): { variable: string; standard: string }[] {
  const [, body = ''] = text.split(new RegExp(`^## ${section}$`, 'm'))
  const [own = ''] = body.split(/^## /m)
  return [...own.matchAll(/^\| `(\w+)` *\| ([^|]+?) *\|/gm)].map(
    ([, variable = '', standard = '']) => ({
      variable,
      standard,
    }),
  )
}

/** What must be set for the service to start. */
const REQUIRED: Readonly<Record<string, string>> = {
  OFFSTAGE_SCHEDULER_DATABASE_URL: 'postgres://127.0.0.1/offstage',
  OFFSTAGE_STORAGE_DATABASE_URL: 'postgres://127.0.0.1/offstage',
  OFFSTAGE_STORAGE_DATA_DIR: '/var/lib/offstage',
  OFFSTAGE_JOBS: 'jobs.ts',
}

interface ServiceConfig {
  readonly section: string
  read(env: NodeJS.ProcessEnv): object
  /** What the service logs at its start. */
  render(env: NodeJS.ProcessEnv): Readonly<Record<string, string>>
}

const services: ServiceConfig[] = [
  {
    section: 'Scheduler',
    read: readSchedulerConfig,
    render: (env) => renderConfig(schedulerFields, readSchedulerConfig(env)),
  },
  {
    section: 'Executor',
    read: readExecutorConfig,
    render: (env) => renderConfig(executorFields, readExecutorConfig(env)),
  },
  {
    section: 'Storage',
    read: readStorageConfig,
    render: (env) => renderConfig(storageFields, readStorageConfig(env)),
  },
]

describe.each(services)('$section', ({ section, read, render }) => {
  const table = tableOf(section)

  test('every variable is told, and none that does not exist', () => {
    expect(table.map(({ variable }) => variable)).toEqual(Object.keys(render(REQUIRED)))
  })

  test('what is told to be required is what a start without it names', () => {
    const required = table.filter(({ standard }) => standard === 'required')
    expect(faultsOf(() => read({}))).toEqual(required.map(({ variable }) => variable))
  })

  test('the defaults told are the defaults', () => {
    const told = Object.fromEntries(
      table.flatMap(({ variable, standard }) => {
        const [, value] = /^`(.+)`$/.exec(standard) ?? []
        return value === undefined ? [] : [[variable, value]]
      }),
    )
    expect(read({ ...REQUIRED, ...told })).toEqual(read(REQUIRED))
  })

  test('what is told to have no default has none', () => {
    const unset = Object.entries(render(REQUIRED))
      .filter(([, value]) => value === '(not set)')
      .map(([name]) => name)
    const none = table.filter(({ standard }) => standard === 'none')
    expect(none.map(({ variable }) => variable)).toEqual(unset)
  })
})

test('no variable that is told of is taken for a misspelt one', () => {
  const told = [...text.matchAll(/^\| `(OFFSTAGE_\w+)`/gm)].map(([, name = '']) => [name, 'x'])
  expect(told.length).toBeGreaterThan(40)
  expect(unknownVariables(Object.fromEntries(told))).toEqual([])
})

test('the variables of the client are those it reads', () => {
  const folder = new URL('../sdk/src/client/', import.meta.url)
  const read = new Set<string>()
  for (const file of readdirSync(folder)) {
    if (!file.endsWith('.ts') || file.endsWith('.test.ts')) continue
    const source = readFileSync(new URL(file, folder), 'utf8')
    for (const [, name = ''] of source.matchAll(/\benv\.(OFFSTAGE_\w+)/g)) read.add(name)
  }
  expect(tableOf('Client').map(({ variable }) => variable)).toEqual([...read])
})

function faultsOf(start: () => unknown): string[] {
  try {
    start()
  } catch (error) {
    if (error instanceof ConfigError) return error.faults.map(({ variable }) => variable)
    throw error
  }
  return []
}
