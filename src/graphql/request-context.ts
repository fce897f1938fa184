import type { Called } from '../common/caller.decorator.js';
import { newId } from '../common/ids.js';
import type { Principal } from '../common/principal.js';

/** What every resolver gets as its context; one per HTTP request and one per subscription. */
export interface RequestContext extends Called {
  readonly requestId: string;
}

export function createContext(principal: Principal, requestId: string = newId()): RequestContext {
  return { principal, requestId };
}
