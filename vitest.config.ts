import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { guardedFiles } from './test/guarded/files.ts'

export default defineConfig({
  test: {
    exclude: ['**/node_modules/**', '**/dist/**'],
    projects: [
      {
        extends: true,
        test: { name: 'open', include: ['**/*.test.ts'], exclude: ['test/guarded/**'] },
      },
      {
        extends: true,
        test: {
          name: 'guarded',
          include: guardedFiles({ all: process.env.GUARDED === 'all' }),
          setupFiles: ['test/guarded/setup.ts'],
        },
      },
    ],
    pool: 'forks',
    // Tests wait more than they compute.
    maxWorkers: availableParallelism() + 1,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
