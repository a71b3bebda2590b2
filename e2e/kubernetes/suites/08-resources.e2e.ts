// The resources as a user meets them: explained, listed, refused with a reason, and with a status.
import { beforeAll, describe, expect, test } from 'vitest';
import { BAD_EXAMPLES, GOOD_EXAMPLES, LATE_EXAMPLES } from '../../../api/resources/testing/examples.ts';
import { namespace } from '../apps.ts';
import { ensureInstalled } from '../installation.ts';
import { apply, get, kubectl, type Manifest, run, until } from '../kubectl.ts';

const HERE = 'e2e-resources';

beforeAll(async () => {
  await ensureInstalled();
  await namespace(HERE);
});

function placed(object: Manifest): Manifest {
  if (object.kind === 'NamespacePolicy') return object;
  return { ...object, metadata: { ...object.metadata, namespace: HERE } };
}

describe('a wrong object is refused at apply', () => {
  test.each(BAD_EXAMPLES.map((example) => [example.says, example] as const))(
    '%s',
    async (_says, { object, refusal }) => {
      const { status, stderr } = await run(
        'kubectl',
        ['apply', '--dry-run=server', '-f', '-'],
        JSON.stringify(placed(object)),
      );
      expect(status).not.toBe(0);
      expect(stderr).toMatch(refusal);
    },
  );
});

describe('what the API server cannot judge is not Accepted, and the status says why', () => {
  test.each(LATE_EXAMPLES.map((example) => [example.says, example] as const))(
    '%s',
    async (_says, { object, mistake }) => {
      await apply(placed(object));
      const where = object.kind === 'NamespacePolicy' ? [] : ['-n', HERE];
      const of = [object.kind.toLowerCase(), String(object.metadata.name), ...where];
      const accepted = await until('the status', async () => {
        const { status } = await get<{ status?: { conditions: Condition[] } }>(...of);
        return status?.conditions.find(({ type }) => type === 'Accepted');
      });
      expect(accepted.status).toBe('False');
      expect(accepted.message).toMatch(mistake);
      await kubectl('delete', ...of);
    },
  );
});

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly message: string;
}

describe('a good object', () => {
  test.each(GOOD_EXAMPLES.map((example) => [example.says, example] as const))(
    'is taken: %s',
    async (_says, { object }) => {
      const { stderr } = await run('kubectl', ['apply', '--dry-run=server', '-f', '-'], JSON.stringify(placed(object)));
      expect(stderr).toBe('');
    },
  );

  test('is Accepted, with the generation that was looked at', async () => {
    const first = GOOD_EXAMPLES.find(({ object }) => object.kind === 'AccessPolicy');
    if (first === undefined) throw new Error('there is no example of an AccessPolicy');
    await apply(placed(first.object));
    const name = String(first.object.metadata.name);
    const accepted = await until('the status', async () => {
      const { metadata, status } = await get<WithStatus>('accesspolicy', name, '-n', HERE);
      const condition = status?.conditions.find(({ type }) => type === 'Accepted');
      return condition && condition.observedGeneration === metadata.generation ? condition : undefined;
    });
    expect(accepted.status).toBe('True');
    expect(await kubectl('get', 'invoke', '-n', HERE)).toContain(name);
    expect(await kubectl('get', 'iap', '-n', HERE)).toContain(name);
  });
});

interface WithStatus {
  readonly metadata: { readonly generation: number };
  readonly status?: {
    readonly conditions: readonly {
      readonly type: string;
      readonly status: string;
      readonly observedGeneration: number;
    }[];
  };
}

test.each(['accesspolicies', 'resiliencies', 'namespacepolicies'])(
  'kubectl explain knows every field of %s',
  async (kind) => {
    const text = await kubectl('explain', kind, '--recursive=false');
    expect(text).not.toMatch(/<no description>|DESCRIPTION:\s+<empty>/);
    expect(await kubectl('explain', `${kind}.spec`)).not.toContain('<no description>');
  },
);

test('a NamespacePolicy of a namespace that is not there says so', async () => {
  await apply({
    apiVersion: 'invoke.io/v1alpha1',
    kind: 'NamespacePolicy',
    metadata: { name: 'e2e-nowhere' },
    spec: {},
  });
  const reason = await until('the status', async () => {
    const { status } = await get<{ status?: { conditions: { type: string; reason: string }[] } }>(
      'namespacepolicy',
      'e2e-nowhere',
    );
    return status?.conditions.find(({ type }) => type === 'Accepted')?.reason;
  });
  expect(reason).toBe('NoSuchNamespace');
  await kubectl('delete', 'namespacepolicy', 'e2e-nowhere');
});
