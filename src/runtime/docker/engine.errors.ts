import { messageOf } from '../../common/app-error.js';
import { RuntimeUnavailableError } from '../runtime.errors.js';

/** The engine answered, and its answer is a refusal. Never leaves this folder. */
export class EngineStatusError extends Error {
  constructor(
    readonly status: number,
    /** For people only; no decision is made by it. */
    message: string,
  ) {
    super(message);
    this.name = 'EngineStatusError';
  }
}

/** What dockerode rejects with when the engine answered with an error. */
interface AnsweredError {
  statusCode: number;
  json?: { message?: unknown } | null;
}

const GATEWAY_STATUSES = [502, 503, 504];

/** Sorts what dockerode throws: an answer with a status, or no answer at all. */
export function toEngineError(error: unknown): EngineStatusError | RuntimeUnavailableError {
  if (error instanceof EngineStatusError || error instanceof RuntimeUnavailableError) return error;
  if (!isAnswered(error)) return new RuntimeUnavailableError('The Docker engine does not answer.', error);
  const said = error.json?.message;
  const message = typeof said === 'string' ? said : messageOf(error);
  if (!GATEWAY_STATUSES.includes(error.statusCode)) return new EngineStatusError(error.statusCode, message);
  return new RuntimeUnavailableError('The Docker engine cannot be reached through its gateway.', error);
}

/** For calls of which every refusal means "not now". */
export function toUnavailable(error: unknown): RuntimeUnavailableError {
  const found = toEngineError(error);
  if (found instanceof RuntimeUnavailableError) return found;
  return new RuntimeUnavailableError(`The Docker engine refused with status ${found.status}.`, found);
}

function isAnswered(error: unknown): error is AnsweredError {
  return error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number';
}
