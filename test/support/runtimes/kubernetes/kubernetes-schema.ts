import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import * as models from '@kubernetes/client-node';

/** What a manifest of ours may be, with the model that describes it. */
const KINDS: Readonly<Record<string, readonly string[]>> = {
  v1: ['ConfigMap', 'Namespace', 'PersistentVolumeClaim', 'Pod', 'Secret', 'Service', 'ServiceAccount'],
  'apps/v1': ['Deployment'],
  'networking.k8s.io/v1': ['Ingress', 'NetworkPolicy'],
  'policy/v1': ['PodDisruptionBudget'],
  'rbac.authorization.k8s.io/v1': ['Role', 'RoleBinding'],
};

interface Attribute {
  baseName: string;
  type: string;
  format: string;
}
interface Model {
  attributes: ReadonlyMap<string, Attribute>;
  required: readonly string[];
}

const MODELS = join(
  dirname(createRequire(import.meta.url).resolve('@kubernetes/client-node')),
  'gen',
  'models',
);

/** The Kubernetes version whose OpenAPI the client library, and so this check, was generated from. */
export const SCHEMA_VERSION = /OpenAPI spec version: (\S+)/.exec(
  readFileSync(join(MODELS, 'V1Pod.d.ts'), 'utf8'),
)?.[1];

/**
 * What is wrong with an object by Kubernetes' own schema: unknown kinds and fields, wrong types, missing fields. The
 * schema is the one that our client library was generated from: fields and types are in its classes, and which fields
 * must be there is in their declarations.
 */
export function schemaFaults(object: unknown): string[] {
  const { apiVersion, kind } = (object ?? {}) as { apiVersion?: string; kind?: string };
  if (!KINDS[String(apiVersion)]?.includes(String(kind)))
    return [`no kind ${apiVersion} ${kind} is known here`];
  return faultsOf(object, `V1${kind}`, kind!);
}

function faultsOf(value: unknown, type: string, path: string): string[] {
  const item = /^(?:Array|Set)<(.*)>$/.exec(type)?.[1];
  if (item) {
    if (!Array.isArray(value)) return [`${path} must be a list`];
    return value.flatMap((each, index) => faultsOf(each, item, `${path}[${index}]`));
  }
  const entry = /^\{ \[key: string\]: (.*); \}$/.exec(type)?.[1];
  if (entry) {
    if (!isObject(value)) return [`${path} must be a map`];
    return Object.entries(value).flatMap(([key, each]) => faultsOf(each, entry, `${path}.${key}`));
  }
  return primitiveFaults(value, type, path) ?? modelFaults(value, type, path);
}

/** Undefined when the type is a model. */
function primitiveFaults(value: unknown, type: string, path: string): string[] | undefined {
  if (type === 'any') return [];
  if (type === 'IntOrString')
    return Number.isInteger(value) || typeof value === 'string'
      ? []
      : [`${path} must be an integer or a string`];
  if (type === 'Date') return Number.isNaN(Date.parse(String(value))) ? [`${path} must be a time`] : [];
  if (!['string', 'number', 'boolean'].includes(type)) return undefined;
  return typeof value === type ? [] : [`${path} must be a ${type}`];
}

function modelFaults(value: unknown, type: string, path: string): string[] {
  if (!isObject(value)) return [`${path} must be an object`];
  const { attributes, required } = modelOf(type);
  const missing = required.filter((name) => value[name] === undefined || value[name] === null);
  return [
    ...missing.map((name) => `${path}.${name} is missing`),
    ...Object.entries(value).flatMap(([name, each]) => {
      const attribute = attributes.get(name);
      if (!attribute) return [`${path}.${name} is not a field of ${type}`];
      return each === undefined ? [] : faultsOf(each, attribute.type, `${path}.${name}`);
    }),
  ];
}

function modelOf(type: string): Model {
  const model = (models as unknown as Record<string, { getAttributeTypeMap(): Attribute[] } | undefined>)[
    type
  ];
  const declaration = join(MODELS, `${type}.d.ts`);
  if (!model || !existsSync(declaration)) throw new Error(`The client library has no model ${type}.`);
  const required = [...readFileSync(declaration, 'utf8').matchAll(/^ {4}'([^']+)': /gm)].map(
    ([, name]) => name!,
  );
  return { attributes: new Map(model.getAttributeTypeMap().map((each) => [each.baseName, each])), required };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
