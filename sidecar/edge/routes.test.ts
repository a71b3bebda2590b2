// Which requests on the app API are for the sidecar itself.
import { expect, test } from 'vitest';
import { findRoute, type Route } from './routes.ts';

const route = (method: string, path: string): Route => ({ method, path, answer: () => ({ status: 204 }) });
const ROUTES = [route('GET', '/v1.0/metadata'), route('PUT', '/v1.0/metadata/')];

test.each([
  ['GET', '/v1.0/metadata', '/v1.0/metadata'],
  ['GET', '/v1.0/metadata/', '/v1.0/metadata'],
  ['GET', '//v1.0//metadata?x=/y', '/v1.0/metadata'],
  ['GET', 'http://localhost:3500/v1.0/metadata', '/v1.0/metadata'],
  ['PUT', '/v1.0/metadata/key', '/v1.0/metadata/'],
  ['PUT', '/v1.0/metadata/a/b', '/v1.0/metadata/'],
  ['PUT', '/v1.0/metadata/', undefined],
  ['PUT', '/v1.0/metadata', undefined],
  ['GET', '/v1.0/metadata/key', undefined],
  ['POST', '/v1.0/metadata', undefined],
  ['GET', '/v1.0/metadatax', undefined],
  ['GET', '/v1.0/Metadata', undefined],
  ['GET', '/v1.0/meta%64ata', undefined],
  ['GET', '/v1.0/x/../metadata', undefined],
  ['GET', '/?/v1.0/metadata', undefined],
  ['GET', '/v1.0/invoke/web/method/v1.0/metadata', undefined],
  ['GET', '/v1.0/invoke/../metadata', undefined],
])('%s %s goes to %s', (method, url, path) => {
  expect(findRoute(ROUTES, method, url)?.path).toBe(path);
});
