// Takes orders by POST /orders. Who sent one is said by the sidecar in front of it, which has checked a certificate;
// nothing here knows of Invoke beyond reading two headers.
import { createServer } from 'node:http';

const port = Number(process.env.APP_PORT ?? 8080);

const server = createServer(async (request, response) => {
  if (request.method !== 'POST' || request.url !== '/orders') {
    response.writeHead(404).end('POST /orders is all there is here\n');
    return;
  }
  const order = JSON.parse((await request.setEncoding('utf8').toArray()).join(''));
  const app = request.headers['dapr-caller-app-id'];
  const identity = request.headers['invoke-caller-id'];
  console.log(`order ${order.number}: ${order.quantity} x ${order.item}, from ${app} (${identity})`);
  response.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify({ accepted: order.number }));
});

server.listen(port, '127.0.0.1', () => console.log(`waiting for orders on port ${port}`));
process.on('SIGTERM', () => server.close());
