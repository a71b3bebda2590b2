// Copying annotations to the template: what is copied, what is taken away again, what is never touched; and that it comes to
// rest, in the eyes of the condition by which the API server calls us.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Workload } from '../../kube/workload.ts';
import { workloadOf } from './testing.ts';
import { copyAnnotations, templateAnnotations } from './workload.ts';

type Annotations = Record<string, string>;

const APP = 'invoke.io/app-id';
const PORT = 'invoke.io/app-port';
const COPIED = 'invoke.io/copied';

function copied(own: Annotations | undefined, template: Annotations | undefined, before?: Annotations): Annotations {
  const old = before && workloadOf('Deployment', own, before);
  return { ...templateAnnotations(copyAnnotations(workloadOf('Deployment', own, template), old)) };
}

test('what stands on the workload is copied, with a marker that says so', () => {
  expect(copied({ [APP]: 'web', [PORT]: '80', 'example.com/x': 'y' }, { a: 'b' })).toEqual({
    ...{ a: 'b', [APP]: 'web', [PORT]: '80' },
    [COPIED]: `${APP},${PORT}`,
  });
});

test('a change of the workload changes its copy', () => {
  const before = { [APP]: 'web', [COPIED]: APP };
  expect(copied({ [APP]: 'shop' }, before, before)).toEqual({ [APP]: 'shop', [COPIED]: APP });
});

test('what is taken from the workload is taken from the template', () => {
  const before = { [APP]: 'web', [PORT]: '80', [COPIED]: `${APP},${PORT}` };
  expect(copied({ [APP]: 'web' }, before)).toEqual({ [APP]: 'web', [COPIED]: APP });
  expect(copied(undefined, before)).toEqual({});
  expect(copyAnnotations(workloadOf('Deployment', undefined, before))).toEqual(
    workloadOf('Deployment', undefined, undefined),
  );
});

test("the template's own annotations win, and are never taken away", () => {
  expect(copied({ [APP]: 'web' }, { [APP]: 'own' })).toEqual({ [APP]: 'own' });
  expect(copied(undefined, { [APP]: 'own', [COPIED]: PORT })).toEqual({ [APP]: 'own' });
});

test('a copy that somebody writes over is the template’s own from then on', () => {
  const before = { [APP]: 'web', [PORT]: '80', [COPIED]: `${APP},${PORT}` };
  const now = copied({ [APP]: 'web', [PORT]: '80' }, { ...before, [PORT]: '81' }, before);
  expect(now).toEqual({ [APP]: 'web', [PORT]: '81', [COPIED]: APP });
});

test('a copy that got lost, as by kubectl replace, is made again', () => {
  expect(copied({ [APP]: 'web' }, undefined, { [APP]: 'web', [COPIED]: APP })).toEqual({ [APP]: 'web', [COPIED]: APP });
});

test('a marker cannot be made to take away what is not ours', () => {
  expect(copied({}, { a: 'b', [COPIED]: `a,${COPIED},${APP}` })).toEqual({ a: 'b' });
});

test('a CronJob has its template further down', () => {
  const cronJob = copyAnnotations(workloadOf('CronJob', { [APP]: 'web' }, undefined));
  expect(cronJob).toEqual(workloadOf('CronJob', { [APP]: 'web' }, { [APP]: 'web', [COPIED]: APP }));
});

describe('left alone, as the same object, is', () => {
  const owned = (controller: boolean) => ({
    ownerReferences: [{ apiVersion: 'v1', kind: 'X', name: 'x', uid: 'x', controller }],
  });
  const withMetadata = (metadata: Workload['metadata']): Workload => ({
    ...workloadOf('Deployment', undefined, undefined),
    metadata: { annotations: { [APP]: 'web' }, ...metadata },
  });

  test.each([
    ['what a controller keeps', withMetadata(owned(true))],
    ['what is being deleted', withMetadata({ deletionTimestamp: new Date(0) })],
    ['what has nothing to copy', workloadOf('Deployment', { a: 'b' }, { c: 'd' })],
    ['what was copied before', workloadOf('Deployment', { [APP]: 'web' }, { [APP]: 'web', [COPIED]: APP })],
  ])('%s', (_what, workload) => expect(copyAnnotations(workload)).toBe(workload));

  test('not what is merely owned', () => {
    const workload = withMetadata(owned(false));
    expect(copyAnnotations(workload)).not.toBe(workload);
  });
});

describe('whatever is written', () => {
  const key = fc.constantFrom(APP, PORT, 'invoke.io/x', COPIED, 'a', 'b');
  const marker = fc.array(key, { maxLength: 4 }).map((keys) => keys.join(','));
  const values = fc.dictionary(key, fc.constantFrom('1', '2', ''), { maxKeys: 4 });
  const templates = fc
    .tuple(values, fc.option(marker, { nil: undefined }))
    .map(([values, marker]) => (marker === undefined ? values : { ...values, [COPIED]: marker }));

  test('the API server has no reason to call again', () => {
    fc.assert(
      fc.property(values, templates, fc.option(templates, { nil: undefined }), (own, template, before) => {
        const after = copied(own, template, before);
        expect(isToBeCopied(own, after)).toBe(false);
        expect(copied(own, after, after)).toEqual(after);
      }),
      { numRuns: 1000 },
    );
  });

  test('annotations of others stay', () => {
    fc.assert(
      fc.property(values, templates, (own, template) => {
        const others = (annotations: Annotations) =>
          Object.entries(annotations).filter(([key]) => !key.startsWith('invoke.io/'));
        expect(others(copied(own, template))).toEqual(others(template));
      }),
    );
  });

  /** The condition `to-be-copied` of conditions.ts, in TypeScript; the suites on a cluster hold the CEL to it. */
  function isToBeCopied(own: Annotations, template: Annotations): boolean {
    const copied = (template[COPIED] ?? '').split(',');
    const isMissing = Object.entries(own).some(([key, value]) => {
      if (!key.startsWith('invoke.io/') || key === COPIED) return false;
      return copied.includes(key) ? template[key] !== value : template[key] === undefined;
    });
    return isMissing || copied.some((key) => key !== '' && own[key] === undefined);
  }
});
