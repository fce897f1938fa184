import { messageOf } from '../../../common/app-error.js';
import { RuntimeUnavailableError } from '../../runtime.errors.js';

/** The API server answered, and its answer is a refusal. Never leaves this folder. */
export class ApiStatusError extends Error {
  constructor(
    readonly status: number,
    /** Kubernetes' machine-readable word, such as `AlreadyExists`; empty when there was none. */
    readonly reason: string,
    message: string,
  ) {
    super(message);
    this.name = 'ApiStatusError';
  }
}

/** An answer that is no success. `body` is Kubernetes' `Status` object where the API server wrote it itself. */
export function toStatusError(status: number, body: string): ApiStatusError {
  const { reason, message } = readStatus(body);
  return new ApiStatusError(status, reason ?? '', message ?? `status ${status}`);
}

/** For calls of which every refusal means "not now". An aborted wait keeps the signal's own reason. */
export function rethrowUnavailable(error: unknown): never {
  if (!(error instanceof ApiStatusError)) throw error;
  throw new RuntimeUnavailableError(refusalSentence(error), error);
}

export function noAnswer(error: unknown): RuntimeUnavailableError {
  return new RuntimeUnavailableError(
    `The Kubernetes API server does not answer (${messageOf(error)}).`,
    error,
  );
}

/** What a refusal of a read means, and what mends it. */
export function refusalSentence({ status, message }: ApiStatusError): string {
  switch (status) {
    case 401:
      return 'The Kubernetes API server does not accept our credentials; renew the token or the kubeconfig.';
    case 403:
      return `The Kubernetes API server forbids what the service needs (${message}); apply k8s/rbac.yaml.`;
    default:
      return `The Kubernetes API server refused with status ${status}: ${message}`;
  }
}

function readStatus(body: string): { reason?: string; message?: string } {
  try {
    const status = JSON.parse(body) as { reason?: unknown; message?: unknown } | null;
    return {
      ...(typeof status?.reason === 'string' ? { reason: status.reason } : {}),
      ...(typeof status?.message === 'string' ? { message: status.message } : {}),
    };
  } catch {
    return {}; // a proxy's page
  }
}
