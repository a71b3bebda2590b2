// An app on the SDK's server, which the sidecar calls over HTTP or by OnInvoke, as the argument says. The port is the one that
// the SDK reads itself, from APP_PORT.
import { CommunicationProtocolEnum, DaprServer, HttpMethod } from '@dapr/dapr';

const isGrpc = process.argv[2] === 'grpc';
const server = new DaprServer({
  communicationProtocol: isGrpc ? CommunicationProtocolEnum.GRPC : CommunicationProtocolEnum.HTTP,
});

for (const method of [HttpMethod.GET, HttpMethod.POST, HttpMethod.PUT, HttpMethod.PATCH, HttpMethod.DELETE]) {
  await server.invoker.listen('echo', echo(method), { method });
}
if (isGrpc) await server.invoker.listen('fail', fail, { method: HttpMethod.POST });
await server.start();

/** The SDK hands over headers from HTTP alone. */
function echo(verb) {
  return async ({ body, metadata, headers = {} }) => ({
    got: body,
    type: metadata.contentType,
    verb,
    sent: headers['x-sent'],
    token: headers['dapr-api-token'],
    caller: headers['dapr-caller-app-id'],
  });
}

/** Over HTTP it would be the end of the program: the SDK's handlers have no way to say a status. */
async function fail() {
  throw new Error('no such order');
}
