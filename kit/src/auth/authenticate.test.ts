import { Metadata } from '@grpc/grpc-js'
import { expect, test } from 'vitest'
import { developmentAuthenticate } from './authenticate.ts'

function calledBy(user: string) {
  const metadata = new Metadata()
  metadata.set('offstage-user', user)
  return () => developmentAuthenticate(metadata)
}

test('in development a user of any name that others may have is believed', () => {
  expect(developmentAuthenticate(new Metadata()).user).toBe('dev')
  for (const user of ['ann', 'a b', 'x'.repeat(255)]) expect(calledBy(user)().user).toBe(user)
})

// What is longer does not fit into the indexes of the database, which would say so with an error of its own.
test('a user whose name nothing can belong to is refused, naming the header', () => {
  for (const user of ['', 'x'.repeat(256)]) {
    expect(calledBy(user)).toThrow('offstage-user must be 1 to 255 characters')
  }
})
