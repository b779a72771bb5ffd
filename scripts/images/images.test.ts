import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { findEngine } from './engine.ts'
import { prune, refuseDevelopment } from './stage.ts'

const run = promisify(execFile)
const docker = new URL('../../deploy/docker/', import.meta.url)
const health = fileURLToPath(new URL('health.mjs', docker))

async function askHealth(environment: Record<string, string>) {
  return await run(process.execPath, [health, 'STORAGE'], { env: environment }).then(
    () => 'alive',
    (error) => error.stderr.trim(),
  )
}

async function serve(status: number) {
  const asked: (string | undefined)[] = []
  const server = createServer((request, response) => {
    asked.push(request.url)
    response.writeHead(status).end()
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const { port } = server.address() as AddressInfo
  return { port: `${port}`, asked, [Symbol.dispose]: () => server.close() }
}

test('the health check of an image asks the plain port of its service, wherever that listens', async () => {
  using alive = await serve(200)
  const environment = { OFFSTAGE_STORAGE_HEALTH_PORT: alive.port }
  expect(await askHealth(environment)).toBe('alive')
  expect(await askHealth({ ...environment, OFFSTAGE_STORAGE_HOST: '0.0.0.0' })).toBe('alive')
  expect(alive.asked).toEqual(['/livez', '/livez'])
})

test('the health check of an image fails, and says why, where the service is not alive', async () => {
  using dead = await serve(503)
  expect(await askHealth({ OFFSTAGE_STORAGE_HEALTH_PORT: dead.port })).toBe('/livez answered 503')
  dead[Symbol.dispose]()
  expect(await askHealth({ OFFSTAGE_STORAGE_HEALTH_PORT: dead.port })).toContain('ECONNREFUSED')
})

test('no image needs a shell, and all run as somebody else than root', () => {
  const lines = readFileSync(new URL('Dockerfile', docker), 'utf8').split('\n')
  expect(lines.filter((line) => /^(RUN|CMD|SHELL)/.test(line))).toEqual([])
  for (const line of lines.filter((line) => /^ENTRYPOINT|HEALTHCHECK/.test(line)))
    expect(line).toMatch(/(ENTRYPOINT|CMD) \[".*"\]$/)
  expect(lines.filter((line) => line.startsWith('USER'))).toEqual(['USER 10001:10001'])
})

test('packages of development are refused in an image', () => {
  const folder = mkdtempSync(join(tmpdir(), 'offstage-images-'))
  try {
    mkdirSync(join(folder, 'node_modules/@electric-sql/pglite'), { recursive: true })
    expect(() => refuseDevelopment(folder)).toThrow('@electric-sql/pglite')
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('licenses stay in an image, and texts for people do not', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'offstage-images-'))
  try {
    const some = join(folder, 'node_modules/some')
    mkdirSync(some, { recursive: true })
    for (const name of ['LICENSE.md', 'license.markdown', 'README.md', 'main.js'])
      writeFileSync(join(some, name), '')
    await prune(folder)
    expect(readdirSync(some).sort()).toEqual(['LICENSE.md', 'license.markdown', 'main.js'])
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('an engine that is not known is refused by the name of its variable', () => {
  expect(() => findEngine('kaniko')).toThrow(
    'ENGINE is kaniko: name one of docker, podman, buildah',
  )
})
