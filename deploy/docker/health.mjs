/** Asks the service of this container whether it is alive: `node health.mjs SCHEDULER`. */
const service = `OFFSTAGE_${process.argv[2]}`
const port = process.env[`${service}_HEALTH_PORT`]
const listensOn =
  process.env[`${service}_HEALTH_HOST`] ?? process.env[`${service}_HOST`] ?? '127.0.0.1'
const host = { '0.0.0.0': '127.0.0.1', '::': '[::1]' }[listensOn] ?? listensOn
const alive = await fetch(`http://${host}:${port}/livez`).then(
  ({ ok, status }) => ok || `/livez answered ${status}`,
  (error) => `${service}_HEALTH_PORT=${port}: ${error.cause?.message ?? error.message}`,
)
if (alive !== true) {
  console.error(alive)
  process.exitCode = 1
}
