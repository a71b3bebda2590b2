// The file of `invokectl policy test`: policies, and calls with what is to become of them.
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { load, YAMLException } from 'js-yaml';
import * as z from 'zod';
import { type Namespace, parseNamespace, parseTrustDomain } from '../api/ids.ts';
import { readWritten } from '../api/resources/read-spec.ts';
import { whyUnreadable } from '../kit/errors.ts';
import { err, must, ok, type Result } from '../kit/result.ts';
import type { Outcome } from '../policy/access/verdict.ts';
import { flawIn, readDocuments } from '../sidecar/resources/documents.ts';
import { addDocument, readPolicyFiles } from './policy-files.ts';
import { type Question, readCallWords, readQuestion } from './policy-question.ts';
import { type Installation, joined, type Policies } from './policy-sources.ts';

export interface PolicyTest {
  readonly policies: Policies;
  readonly installation: Installation;
  readonly cases: readonly PolicyCase[];
}

export interface PolicyCase {
  readonly name: string;
  readonly caller: string;
  readonly question: Question;
  readonly expect: Outcome;
  /** The name of what is to decide. */
  readonly by: string | undefined;
  /** What policies in audit mode are to say. */
  readonly audit: Outcome | undefined;
}

const outcome = z.enum(['allow', 'deny']);
const schema = z.strictObject({
  policies: z.array(z.string()).default([]),
  resources: z.array(z.looseObject({})).default([]),
  trustDomain: z.string().default('cluster.local'),
  defaultAccess: outcome.default('allow'),
  namespace: z.string().default('default'),
  cases: z
    .array(
      z.strictObject({
        name: z.string().optional(),
        caller: z.string(),
        call: z.string(),
        expect: outcome,
        by: z.string().optional(),
        audit: outcome.optional(),
      }),
    )
    .min(1),
});
type Written = z.output<typeof schema>;

/** Or all that is wrong with it, a sentence each. */
export async function readPolicyTest(file: string, cwd: string): Promise<Result<PolicyTest, readonly string[]>> {
  const path = resolve(cwd, file);
  const loaded = await loadYaml(path);
  if (!loaded.ok) return err([loaded.error]);
  const read = readWritten(schema, loaded.value, '');
  if (!read.ok) return err(read.error.map((mistake) => `${path}: ${mistake}`));
  const written = read.value;
  const installation = readInstallation(written);
  if (!installation.ok) return err([`${path}: ${installation.error}`]);
  const policies = await readPolicies(written, path);
  const cases = readCases(written, path, installation.value);
  if (!policies.ok || !cases.ok) return err([policies, cases].flatMap((read) => (read.ok ? [] : read.error)));
  return ok({ policies: policies.value, installation: installation.value, cases: cases.value });
}

async function loadYaml(path: string): Promise<Result<unknown>> {
  try {
    return ok(load(await readFile(path, 'utf8')));
  } catch (error) {
    if (error instanceof YAMLException) {
      const { line, reason } = flawIn(error);
      return err(`${path}:${line}: ${reason}`);
    }
    return err(`${path} cannot be read: ${whyUnreadable(error)}`);
  }
}

interface Surroundings extends Installation {
  readonly namespace: Namespace;
}

function readInstallation({ trustDomain, namespace, defaultAccess }: Written): Result<Surroundings> {
  const domain = parseTrustDomain(trustDomain);
  if (!domain.ok) return domain;
  const own = parseNamespace(namespace);
  return own.ok ? ok({ trustDomain: domain.value, namespace: own.value, defaultAccess }) : own;
}

/** Paths are relative to the file. */
async function readPolicies(written: Written, path: string): Promise<Result<Policies, readonly string[]>> {
  const fromFiles = await readPolicyFiles(written.policies, dirname(path));
  const inline: Partial<Policies>[] = [];
  const problems = written.resources.flatMap((resource, i) => readInline(resource, `${path}: resources[${i}]`, inline));
  if (!fromFiles.ok || problems.length > 0) return err([...(fromFiles.ok ? [] : fromFiles.error), ...problems]);
  const all = joined([fromFiles.value, ...inline]);
  return all.ok ? all : err([`${path}: ${all.error}`]);
}

function readInline(resource: object, place: string, found: Partial<Policies>[]): readonly string[] {
  // JSON is YAML, so that there is one reading of resources.
  const documents = readDocuments(JSON.stringify(resource));
  if (!documents.ok) return documents.error.map(({ reason }) => `${place}: ${reason}`);
  return documents.value.flatMap((document) => addDocument(document, place, found));
}

function readCases(
  { cases }: Written,
  path: string,
  defaults: Surroundings,
): Result<readonly PolicyCase[], readonly string[]> {
  const read = cases.map((written, i): Result<PolicyCase, readonly string[]> => {
    const { name, caller, call, expect, by, audit } = written;
    const place = `${path}: cases[${i}]`;
    const words = readCallWords(call);
    if (!words.ok) return err([`${place}: ${words.error}`]);
    const question = readQuestion({ caller, ...words.value }, defaults);
    if (!question.ok) return err(question.error.map((mistake) => `${place}: ${mistake}`));
    return ok({ name: name ?? `${caller} ${call}`, caller, question: question.value, expect, by, audit });
  });
  const problems = read.flatMap((each) => (each.ok ? [] : each.error));
  return problems.length > 0 ? err(problems) : ok(read.map((each) => must(each)));
}
