// Does, with Dapr's SDK, what its second argument says as JSON, step by step, and prints what came of it as JSON. The first
// argument is what it speaks to its sidecar: http or grpc.
import { CommunicationProtocolEnum, DaprClient } from '@dapr/dapr';

const [, , protocol, steps] = process.argv;
const client = new DaprClient({
  communicationProtocol: protocol === 'grpc' ? CommunicationProtocolEnum.GRPC : CommunicationProtocolEnum.HTTP,
});

const does = {
  invoke: async ({ app, method, verb = 'POST', data, headers }) => ({
    answer: await client.invoker.invoke(app, method, verb.toLowerCase(), data, { headers }),
  }),
  metadata: async () => {
    const { id, extended } = await client.metadata.get();
    return { id, extended };
  },
  set: async ({ key, value }) => ({ done: await client.metadata.set(key, value) }),
  healthy: async () => ({ healthy: await client.health.isHealthy() }),
  shutdown: async () => {
    await client.sidecar.shutdown();
    return {};
  },
};

const outcomes = [];
for (const step of JSON.parse(steps)) {
  try {
    outcomes.push(await does[step.do](step));
  } catch (error) {
    outcomes.push({ failure: failureOf(error) });
  }
}
console.log(`OUTCOMES ${JSON.stringify(outcomes)}`);
await client.stop();

/** Over HTTP the SDK throws an Error whose message is JSON; over gRPC one with a code. */
function failureOf(error) {
  if (protocol === 'http') return JSON.parse(error.message);
  return { name: error.name, code: error.code, message: error.rawMessage ?? error.message };
}
