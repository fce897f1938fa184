import { DOCKER } from './docker/docker.definition.js';
import { KUBERNETES } from './kubernetes/kubernetes.definition.js';
import { PROCESS } from './process/process.definition.js';
import type { RuntimeDefinition } from './runtime-definition.js';

/** Every runtime that this service has, in the order in which `auto` tries them. */
export const RUNTIMES: readonly RuntimeDefinition[] = [KUBERNETES, DOCKER, PROCESS];
