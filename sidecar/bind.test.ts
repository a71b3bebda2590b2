// Binding one port on several addresses, on machines that do not have all of them.
import { type ListenOptions, Server } from 'node:net';
import { expect, test } from 'vitest';
import { must } from '../kit/result.ts';
import { bind } from './bind.ts';

/** As the platform behaves where IPv6 is switched off in the kernel. */
class WithoutIpv6 extends Server {
  override listen(...args: unknown[]): this {
    const [where, bound] = args as [ListenOptions, () => void];
    if (where.host?.includes(':') !== true) return super.listen(where, bound);
    const error = Object.assign(new Error('address family not supported'), { code: 'EAFNOSUPPORT' });
    queueMicrotask(() => this.emit('error', error));
    return this;
  }
}

const request = { what: 'a test', setting: '--port', choice: { port: 0, isFlexible: false } };

test('every address means every IPv4 address where there is no IPv6', async () => {
  const { servers } = must(await bind({ ...request, addresses: ['::'], server: () => new WithoutIpv6() }));
  expect(servers.map((server) => server.address())).toEqual([expect.objectContaining({ address: '0.0.0.0' })]);
  for (const server of servers) server.close();
});

test('an address that the machine does not have is left out', async () => {
  const addresses = ['127.0.0.1', '::1'];
  const { servers } = must(await bind({ ...request, addresses, server: () => new WithoutIpv6() }));
  expect(servers.map((server) => server.address())).toEqual([expect.objectContaining({ address: '127.0.0.1' })]);
  for (const server of servers) server.close();
});
