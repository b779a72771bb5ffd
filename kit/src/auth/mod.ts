export {
  type Actor,
  type AttachGrant,
  type AttemptRef,
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
} from './authenticate.ts'
export { namesIn, type Shown } from './certificate-names.ts'
export { fits } from './pattern.ts'
export { RIGHTS, type Right, ROLES, type Role, rolesWith } from './rights.ts'
