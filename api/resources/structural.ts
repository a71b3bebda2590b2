// A zod schema as the API server takes it: a structural schema (OpenAPI v3, as apiextensions.k8s.io/v1 restricts it).
import * as z from 'zod';
import { INT_OR_STRING } from './schema.ts';

export interface StructuralSchema {
  readonly type?: string | undefined;
  readonly description?: string | undefined;
  readonly properties?: Readonly<Record<string, StructuralSchema>> | undefined;
  readonly additionalProperties?: StructuralSchema | undefined;
  readonly items?: StructuralSchema | undefined;
  readonly required?: readonly string[] | undefined;
  readonly [keyword: string]: unknown;
}

type JsonSchema = z.core.JSONSchema.JSONSchema;

/** For what a user may write: a field with a default is not required. */
export function structuralSchema(schema: z.ZodType): StructuralSchema {
  return structural(z.toJSONSchema(schema, { io: 'input' }));
}

/**
 * The API server knows which fields there are and refuses others by itself, so that `additionalProperties: false` is neither
 * needed nor allowed; and it has no `propertyNames`.
 */
function structural(schema: JsonSchema): StructuralSchema {
  const { $schema, description, type, properties, additionalProperties, propertyNames, items, anyOf, ...rest } = schema;
  const fields = structuralFields(properties ?? {});
  const schemas = {
    ...(Object.keys(fields).length > 0 && { properties: fields }),
    ...(isSchema(additionalProperties) && { additionalProperties: structural(additionalProperties) }),
    ...(isSchema(items) && { items: structural(items) }),
  };
  // The one union that a structural schema may have.
  const types =
    rest[INT_OR_STRING] === true ? { anyOf: [{ type: 'integer' }, { type: 'string' }] } : { type: String(type) };
  return { ...(description !== undefined && { description }), ...types, ...schemas, ...withoutWidest(rest) };
}

/** JavaScript's own bounds of whole numbers are not those of the resource. */
function withoutWidest(keywords: object): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(keywords).filter(([, value]) => Math.abs(Number(value)) !== Number.MAX_SAFE_INTEGER),
  );
}

function structuralFields(properties: Readonly<Record<string, unknown>>): Record<string, StructuralSchema> {
  return Object.fromEntries(
    Object.entries(properties).flatMap(([name, field]) => (isSchema(field) ? [[name, structural(field)]] : [])),
  );
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
