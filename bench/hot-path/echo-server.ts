/** A bare unary gRPC echo: what a call costs without any work behind it. */
import { Server, ServerCredentials } from '@grpc/grpc-js'
import { echoService } from './echo.ts'

const server = new Server()
server.addService(echoService, {
  echo: (call: { request: Buffer }, answer: (error: null, response: Buffer) => void) =>
    answer(null, call.request),
})
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error
  console.log(`echo on 127.0.0.1:${port}`)
})
process.once('SIGTERM', () => server.forceShutdown())
