import { newId } from '../common/ids.js';

/** What every resolver gets as its context; one per HTTP request and one per subscription. */
export interface RequestContext {
  requestId: string;
}

export function createContext(requestId: string = newId()): RequestContext {
  return { requestId };
}
