import { createAuthority, createPemFolder } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { readCertificates } from './certificate-files.ts'

test('files that belong together are read', async () => {
  await using folder = await createPemFolder()
  const authority = await createAuthority()
  const own = await authority.issue()
  const files = await folder.write({ ca: authority.cert + own.cert, ...own })
  const { ca, cert, key } = readCertificates(files)
  expect([String(ca), String(cert), String(key)]).toEqual([
    authority.cert + own.cert,
    own.cert,
    own.key,
  ])
})

test('system stands for the authorities that come with Node', () => {
  expect(readCertificates({ ca: 'system' })).toEqual({})
})

test('what is wrong with a file is said of that file, and what a key holds is never told', async () => {
  await using folder = await createPemFolder()
  const authority = await createAuthority()
  const [own, other, ended] = await Promise.all([
    authority.issue(),
    authority.issue(),
    authority.issue({ validUntil: new Date(Date.now() - 1_000) }),
  ])
  const it = await folder.write({
    ca: authority.cert,
    cert: own.cert,
    key: own.key,
    otherKey: other.key,
    endedCert: ended.cert,
    endedKey: ended.key,
    joined: authority.cert.trimEnd() + own.cert,
    garbage: 'SECRET garbage',
  })
  const { cert, key } = it
  const none = `${folder.path}/none.pem`
  const faults = [
    [{ ca: none }, 'ca', `the file ${none} does not exist`],
    [{ cert, key: '-----BEGIN PRIVATE KEY-----\nSECRET' }, 'key', 'names what is in a file, not'],
    [{ ca: folder.path }, 'ca', `the file ${folder.path} cannot be read (EISDIR)`],
    [{ ca: it.garbage }, 'ca', 'holds no certificate in PEM'],
    [{ ca: it.joined }, 'ca', 'holds no certificate in PEM'],
    [{ cert: it.garbage, key }, 'cert', 'holds no certificate in PEM'],
    [{ cert, key: it.garbage }, 'key', 'holds no private key in PEM'],
    [{ cert, key: it.otherKey }, 'key', 'is not that of the certificate in'],
    [{ cert: it.endedCert, key: it.endedKey }, 'cert', 'was valid until'],
    [{ cert }, 'key', 'must name the key too'],
    [{ key }, 'cert', 'must name the certificate too'],
  ] as const
  for (const [files, file, problem] of faults) {
    const read = () => readCertificates(files)
    expect(read, problem).toThrow(expect.objectContaining({ file }))
    expect(read).toThrow(problem)
    expect(read).not.toThrow('SECRET')
  }
})
