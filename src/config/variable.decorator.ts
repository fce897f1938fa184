import { Transform } from 'class-transformer';
import type { ConfigPart } from './config-part.js';

export interface VariableDoc {
  /** The environment variable, which is also the property's name. */
  name: string;
  type: 'string' | 'integer' | 'boolean' | 'boolean or auto' | 'list' | 'map' | 'json';
  /** The unit of a number, for the reference page. */
  unit?: string;
  /** The default as the reference page shows it. */
  defaultText: string;
  /** One sentence. */
  description: string;
  /** `<NAME>_FILE` works, the value never appears in a message or a log. */
  secret: boolean;
}

const documented = new Map<object, VariableDoc[]>();

/** The variables that a part of the configuration declares, in their order. */
export function variablesOf(part: ConfigPart): readonly VariableDoc[] {
  return documented.get(part) ?? [];
}

type VariableOptions = Omit<VariableDoc, 'name' | 'secret'> & { secret?: boolean };

/**
 * Declares a property as an environment variable: documents it and converts its text. The conversion is by hand,
 * since class-transformer's own makes the text "false" true; text that cannot be converted stays text, so that the
 * validators name the variable.
 */
export function Variable(options: VariableOptions): PropertyDecorator {
  return (target, key) => {
    const part = target.constructor;
    const before = documented.get(part) ?? [];
    documented.set(part, [...before, { secret: false, ...options, name: String(key) }]);
    Transform(({ value }) => convert(value, options.type))(target, key);
  };
}

function convert(value: unknown, type: VariableDoc['type']): unknown {
  if (typeof value !== 'string') return value;
  const text = value.trim();
  switch (type) {
    case 'integer':
      return /^-?\d+$/.test(text) ? Number(text) : text;
    case 'boolean':
      return parseBoolean(text);
    case 'boolean or auto':
      return /^auto$/i.test(text) ? 'auto' : parseBoolean(text);
    case 'list':
      return text.split(',').flatMap((part) => part.trim() || []);
    case 'map':
      return text.split(',').flatMap((part) => part.trim() || []);
    case 'json':
      return parseJson(text);
    case 'string':
      return text;
  }
}

function parseBoolean(text: string): boolean | string {
  if (/^(true|1|yes|on)$/i.test(text)) return true;
  return /^(false|0|no|off)$/i.test(text) ? false : text;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
