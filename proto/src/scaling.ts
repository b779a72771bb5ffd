/** Messages and the service of package externalscaler, which KEDA calls. */
export * from '../gen/keda/externalscaler.ts'
