import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { bundledThreads } from './scripts/bundles/plugins.ts'
import { faultyFiles } from './services/scheduler/src/testing/faults/files.ts'
import { guardedFiles } from './test/guarded/files.ts'
import { LongOnesFirst } from './test/long-ones-first.ts'
import { clusterFiles, togetherFiles } from './test/together/files.ts'

// The processes that tests start, and their threads, inherit it. Half of what a start costs is
// stripping types and compiling, which Node then does once for each file.
process.env.NODE_COMPILE_CACHE ??= fileURLToPath(new URL('.offstage/compiled', import.meta.url))

const together = togetherFiles()
const clusters = clusterFiles()

export default defineConfig({
  plugins: process.env.TEST_BUNDLES === undefined ? [] : [bundledThreads],
  test: {
    exclude: ['**/node_modules/**', '**/dist/**'],
    projects: [
      {
        extends: true,
        test: { name: 'together', include: together, isolate: false },
      },
      {
        extends: true,
        test: { name: 'clusters', include: clusters, isolate: false },
      },
      {
        extends: true,
        test: {
          name: 'open',
          include: ['**/*.test.ts'],
          exclude: ['test/guarded/**', ...together, ...clusters],
        },
      },
      {
        extends: true,
        test: {
          name: 'guarded',
          isolate: false,
          include: guardedFiles({ all: process.env.GUARDED === 'all' }),
          setupFiles: ['test/guarded/setup.ts'],
        },
      },
      {
        extends: true,
        test: {
          name: 'faulty',
          include: faultyFiles({ all: process.env.FAULTS === 'all' }),
          env: { FAULTS_SEED: process.env.FAULTS_SEED ?? '1' },
          setupFiles: ['services/scheduler/src/testing/faults/setup.ts'],
        },
      },
    ],
    globalSetup: 'test/temporary-folder.ts',
    pool: 'forks',
    sequence: { sequencer: LongOnesFirst },
    // Tests wait more than they compute.
    maxWorkers: availableParallelism() + 2,
    // Waits end as soon as what they are for is there, and how soon that is nobody promises: a busy machine takes its time.
    expect: { poll: { timeout: 30_000 } },
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
