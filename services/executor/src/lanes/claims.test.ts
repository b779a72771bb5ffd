import { expect, test } from 'vitest'
import { ClaimBoard, HeldClaims } from './claims.ts'

function setup() {
  const board = new ClaimBoard()
  return { board, held: new HeldClaims(board.memory) }
}

test('an attempt that has begun cannot be withdrawn', () => {
  const { board, held } = setup()
  const claim = board.give()
  expect(board.hasBegun(claim)).toBe(false)
  expect(held.begin(claim)).toBe(true)
  expect(board.withdraw(claim)).toBe(false)
  expect(board.hasBegun(claim)).toBe(true)
})

test('an attempt that was withdrawn cannot begin', () => {
  const { board, held } = setup()
  const claim = board.give()
  expect(board.withdraw(claim)).toBe(true)
  expect(held.begin(claim)).toBe(false)
  expect(board.hasBegun(claim)).toBe(false)
})

test('an old claim to a place that is used again is worth nothing', () => {
  const { board, held } = setup()
  const old = board.give()
  board.withdraw(old)
  board.release(old)
  const next = board.give()
  expect(held.begin(old)).toBe(false)
  expect(board.withdraw(old)).toBe(false)
  expect(held.begin(next)).toBe(true)
})

test('there is room for more attempts than a lane has slots', () => {
  const { board, held } = setup()
  const claims = Array.from({ length: 200_000 }, () => board.give())
  expect(new Set(claims).size).toBe(claims.length)
  expect(claims.every((claim) => held.begin(claim))).toBe(true)
  expect(claims.every((claim) => board.hasBegun(claim))).toBe(true)
})

test('it can be seen whose handler computes, and how many messages were taken up', () => {
  const { board, held } = setup()
  const [first, second] = [board.give(), board.give()]
  held.take()
  held.begin(first)
  held.begin(second)
  const seen = held.calling(second, () => [board.isCalling(first), board.isCalling(second)])
  expect(seen).toEqual([false, true])
  expect(board.isCalling(second)).toBe(false)
  expect(board.taken).toBe(1)
})
