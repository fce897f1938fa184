import { AppError } from './app-error.js';

/** What may be done: reading jobs with their logs and files, making and ending them, looking after the service itself. */
export const SCOPES = ['jobs:read', 'jobs:write', 'service:admin'] as const;
export type Scope = (typeof SCOPES)[number];

/** Whose everything is as long as there is one tenant. */
export const DEFAULT_TENANT = 'default';

/**
 * Who acts, and for whom: the first argument of every function that reads or changes what belongs to somebody. It comes from
 * the edge (HTTP, socket, download) or is one of SYSTEM. Writes to a live job need none: their fence says who may make them.
 */
export interface Principal {
  /** For logs. */
  readonly name: string;
  /** Whose records it may see; undefined: everybody's. */
  readonly tenant: string | undefined;
  readonly scopes: ReadonlySet<Scope>;
}

/** The parts of the service that act by themselves, for every tenant. */
export const SYSTEM = {
  dispatcher: system('dispatcher'),
  sweeper: system('sweeper'),
  retention: system('retention'),
} as const;

function system(name: string): Principal {
  return { name: `system:${name}`, tenant: undefined, scopes: new Set(SCOPES) };
}

export class ForbiddenError extends AppError {
  constructor(scope: Scope) {
    super('FORBIDDEN', `This needs the scope ${scope}, which the caller does not have.`);
  }
}

/** @throws ForbiddenError */
export function requireScope({ scopes }: Principal, scope: Scope): void {
  if (!scopes.has(scope)) throw new ForbiddenError(scope);
}
