import {
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isObjectType,
  isSpecifiedScalarType,
} from 'graphql';

const HEADER = '// Generated from the schema by `npm run generate`; do not edit.\n';

/** What JSON has for a scalar of the schema. */
const SCALARS = { ID: 'string', String: 'string', Boolean: 'boolean', Int: 'number', Float: 'number' };
const OTHERS = {
  DateTime: 'string',
  SafeInt: 'number',
  JSON: 'unknown',
  JSONObject: 'Record<string, unknown>',
};
const ROOTS = ['Query', 'Mutation', 'Subscription'];

/** The types of a schema as TypeScript, for clients: an enum is a list and a union, an object or input an interface. */
export function clientTypes(schema) {
  const types = Object.values(schema.getTypeMap())
    .filter(({ name }) => !name.startsWith('__') && !ROOTS.includes(name))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  return [HEADER, ...types.flatMap((type) => toTypeScript(type) ?? [])].join('\n');
}

function toTypeScript(type) {
  if (isEnumType(type)) {
    const values = type.getValues().map(({ name }) => `'${name}'`);
    const list = `${constantCase(type.name)}S`;
    return `${comment(type)}export const ${list} = [${values.join(', ')}] as const;
export type ${type.name} = (typeof ${list})[number];
`;
  }
  if (!isObjectType(type) && !isInputObjectType(type)) return undefined;
  const fields = Object.values(type.getFields()).map((field) => {
    const isOptional = isInputObjectType(type) && !isNonNullType(field.type);
    return `${comment(field, '  ')}  ${field.name}${isOptional ? '?' : ''}: ${toType(field.type)};`;
  });
  return `${comment(type)}export interface ${type.name} {\n${fields.join('\n')}\n}\n`;
}

function toType(type) {
  if (isNonNullType(type)) return nonNull(type.ofType);
  const text = nonNull(type);
  return text === 'unknown' ? text : `${text} | null`;
}

function nonNull(type) {
  if (isListType(type)) {
    const item = toType(type.ofType);
    return item.includes(' ') ? `(${item})[]` : `${item}[]`;
  }
  if (isSpecifiedScalarType(type)) return SCALARS[type.name];
  return OTHERS[type.name] ?? type.name;
}

function comment({ description }, indent = '') {
  return description ? `${indent}/** ${description.replace(/\s+/g, ' ').trim()} */\n` : '';
}

function constantCase(name) {
  return name.replace(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase();
}
