/** Who may look at an executor and drain it, by its own port. */
import type { Authenticate, Role } from '@offstage/kit/auth'
import { ExecutorControlServiceClient } from '@offstage/proto/executor'
import { callUnary, createChannel } from '@offstage/sdk/grpc'
import { expect, test } from 'vitest'
import { setup } from '../testing/setup.ts'

const calledBy =
  (role: Role, namespaces: readonly string[] | 'all'): Authenticate =>
  () => ({ user: 'olga', roles: [role], namespaces })

async function outcomes(role: Role, namespaces: readonly string[] | 'all') {
  await using it = await setup(
    { OFFSTAGE_NAMESPACE: 'apps' },
    undefined,
    calledBy(role, namespaces),
  )
  const channel = createChannel(it.executor.address)
  const client = channel.client(ExecutorControlServiceClient)
  try {
    const outcome = (call: Promise<unknown>) =>
      call.then(
        () => 'OK',
        ({ reason }) => reason,
      )
    return [
      await outcome(callUnary(client.describeExecutor.bind(client), {})),
      await outcome(callUnary(client.drain.bind(client), { grace: undefined })),
      it.executor.draining,
    ]
  } finally {
    channel.close()
  }
}

test('an executor is looked at and drained by those alone who may enter its namespace', async () => {
  for (const role of ['operator', 'admin'] as const) {
    expect(await outcomes(role, ['apps', 'b'])).toEqual(['OK', 'OK', true])
    expect(await outcomes(role, 'all')).toEqual(['OK', 'OK', true])
    expect(await outcomes(role, ['b'])).toEqual(['PERMISSION_DENIED', 'PERMISSION_DENIED', false])
  }
  expect(await outcomes('reader', ['apps'])).toEqual(['OK', 'PERMISSION_DENIED', false])
  expect(await outcomes('user', ['apps'])).toEqual([
    'PERMISSION_DENIED',
    'PERMISSION_DENIED',
    false,
  ])
})
