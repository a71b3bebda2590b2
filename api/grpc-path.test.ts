// The paths of native gRPC calls: one spelling, and no way to a sidecar's own services.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { grpcPath } from './grpc-path.ts';
import { canonicalPath } from './path.ts';

test.each(['/shop.Orders/Get', '/shop.v1.Orders/Get', '/Orders/Get', '/_a.B_1/c', '/daprs.proto.X/Y', '/invoked.X/Y'])(
  '%s is a method, and is judged and sent as it is',
  (path) => {
    expect(grpcPath(path)).toEqual({ ok: true, value: path });
  },
);

describe('what is no method', () => {
  test.each([
    ...['', '/', '*', '/shop.Orders', '/shop.Orders/', '//Get', 'shop.Orders/Get', '/shop.Orders/Get/', '/a/b/c'],
    ...['/shop..Orders/Get', '/.shop/Get', '/shop./Get', '/./Get', '/../Get', '/shop.Orders/.', '/shop.Orders/..'],
    ...['/shop.Orders%2FGet', '/shop.Orders/G%65t', '/shop.Orders/Get%00', '/shop.Orders/Get?a', '/shop.Orders/Get#a'],
    ...['/shop.Orders/Get;a', '/shop.Orders\\Get', '/shop.Orders/Get ', '/shop.Orders/1', '/shop.Orders/Gét', '/a\n/b'],
  ])('%j is refused', (path) => {
    expect(grpcPath(path)).toMatchObject({ ok: false, error: { code: 'unimplemented' } });
  });
});

test.each([
  '/dapr.proto.runtime.v1.AppCallback/OnInvoke',
  '/dapr.proto.internals.v1.ServiceInvocation/CallLocal',
  '/invoke.v1.Peer/Tunnel',
  '/grpc.health.v1.Health/Check',
  '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo',
  '/Dapr.Proto.Runtime.V1.AppCallback/OnInvoke',
  '/GRPC.HEALTH.v1.Health/Check',
])("%s is a sidecar's own, and is never passed on", (path) => {
  expect(grpcPath(path)).toMatchObject({ ok: false, error: { code: 'unimplemented' } });
});

test('what is let through has one reading: it is canonical, and has two parts', () => {
  const odd = fc.stringMatching(/^\/[\w./%;\\?#]{0,12}\/[\w./%]{0,8}$/);
  fc.assert(
    fc.property(odd, (path) => {
      const read = grpcPath(path);
      if (!read.ok) return;
      expect(canonicalPath(path)).toEqual({ ok: true, value: path });
      expect(path.split('/')).toHaveLength(3);
    }),
    { examples: [['/a.b/c']], numRuns: 500 },
  );
});
