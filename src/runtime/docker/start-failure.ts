import type { StartFailure } from '../runtime-provider.js';
import type { EngineStatusError } from './engine.errors.js';

/** Why the engine did not make the container. */
export function toCreateFailure({ status, message }: EngineStatusError, image: string): StartFailure {
  if (status === 404) return imageUnavailable(image);
  return toFailure(status, 'make', message);
}

/** Why the engine did not start the container it had made. */
export function toStartFailure({ status, message }: EngineStatusError): StartFailure {
  if (status === 404) {
    return { kind: 'failed', message: 'The container was removed before it was started.', retryable: true };
  }
  return toFailure(status, 'start', message);
}

/** A 4xx is an answer to what was asked for and stays; a 5xx is the engine's own trouble, such as a full disk. */
function toFailure(status: number, verb: 'make' | 'start', message: string): StartFailure {
  const isRefused = status < 500;
  return {
    kind: isRefused ? 'refused' : 'failed',
    message: `The engine could not ${verb} the container: ${message}`,
    retryable: !isRefused,
  };
}

function imageUnavailable(image: string): StartFailure {
  return {
    kind: 'imageUnavailable',
    message: `The runner image ${image} is not on the engine's machine.`,
    hint: toImageHint(image),
    retryable: false,
  };
}

/** The command that gets an image: ours are built from this repository, others come from their registry. */
export function toImageHint(image: string): string {
  const [, target] = /^py-exec(?::(\w[\w.-]*))?$/.exec(image) ?? [];
  if (target === undefined && image !== 'py-exec') return `docker pull ${image}`;
  return `docker build --target ${target ?? 'latest'} -t ${image} runner-image`;
}
