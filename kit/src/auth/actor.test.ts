import { describe, expect, test } from 'vitest'
import { type Actor, actingFor, may, mayForOthers, mayTouch } from './actor.ts'
import { RIGHTS, type Right, ROLES, type Role } from './rights.ts'

const actor = (user: string, role: Role, namespaces: Actor['namespaces'] = 'all'): Actor => ({
  user,
  roles: [role],
  namespaces,
})

describe('what belongs to ann in namespace default', () => {
  const value = { namespace: 'default', owner: 'ann' }

  test.each([
    ['the owner', actor('ann', 'user'), true],
    ['another user', actor('bob', 'user'), false],
    ['an administrator', actor('root', 'admin'), true],
    ['a service', actor('svc', 'service'), true],
    ['the owner without the namespace', actor('ann', 'user', ['other']), false],
    ['an administrator of another namespace', actor('root', 'admin', ['other']), false],
    ['the owner without a role for it', actor('ann', 'reader'), false],
    ['the owner without any role', { ...actor('ann', 'user'), roles: [] }, false],
  ])('%s', (_who, who, allowed) => {
    expect(mayTouch(who, 'values.write', value)).toBe(allowed)
  })
})

test('a service that speaks for a user can do what that user can', () => {
  const service = actor('svc', 'service')
  expect(actingFor(service, 'values.write', 'bob')).toEqual(actor('bob', 'user'))
  expect(actingFor(service, 'values.write', undefined)).toBe(service)
  expect(actingFor(actor('ann', 'user'), 'values.write', 'ann')).toEqual(actor('ann', 'user'))
  expect(actingFor(actor('ann', 'user'), 'values.write', 'bob')).toBeUndefined()
})

test('administrators have every right on what is anybody’s, and others only what the table gives them', () => {
  for (const right of Object.keys(RIGHTS) as Right[]) {
    const { own, others }: { own: readonly Role[]; others: readonly Role[] } = RIGHTS[right]
    for (const role of ROLES) {
      const admin = role === 'admin'
      expect([right, role, may(actor('x', role), right)]).toEqual([
        right,
        role,
        admin || own.includes(role) || others.includes(role),
      ])
      expect(mayForOthers(actor('x', role), right)).toBe(admin || others.includes(role))
    }
  }
})
