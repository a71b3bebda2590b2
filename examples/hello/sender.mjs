// Posts a dozen orders to the app called "receiver": sender.py once more, for machines without Python.
import { setTimeout as sleep } from 'node:timers/promises';

const sidecar = `http://127.0.0.1:${process.env.DAPR_HTTP_PORT ?? 3500}`;
const items = ['tea', 'coffee', 'cocoa', 'milk'];

/** Its API answers at once, and calls go through as soon as it has its certificate. */
async function waitForSidecar() {
  for (;;) {
    const health = await fetch(`${sidecar}/v1.0/healthz/outbound`).catch(() => undefined);
    if (health?.ok) return;
    await sleep(100);
  }
}

await waitForSidecar();
for (let number = 1; number <= 12; number++) {
  const order = { number, item: items[number % items.length], quantity: (number % 3) + 1 };
  const response = await fetch(`${sidecar}/v1.0/invoke/receiver/method/orders`, {
    method: 'POST',
    body: JSON.stringify(order),
    headers: {
      'content-type': 'application/json',
      // A caller may claim what it likes: the receiver learns what its certificate proves.
      'dapr-caller-app-id': 'somebody-else',
    },
  });
  if (!response.ok) {
    console.error(`order ${number} was not taken: ${response.status} ${await response.text()}`);
    process.exit(1);
  }
  const { accepted } = await response.json();
  console.log(`order ${accepted} was taken with status ${response.status}`);
}
