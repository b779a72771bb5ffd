export {
  type Actor,
  actingFor,
  may,
  mayEnter,
  mayForOthers,
  mayTouch,
  type Owned,
} from './actor.ts'
export {
  type Authenticate,
  developmentAuthenticate,
  developmentAuthenticateTelling,
  isLoopback,
} from './authenticate.ts'
export { RIGHTS, type Right, ROLES, type Role, rolesWith } from './rights.ts'
