import type { IncomingMessage } from 'node:http';
import { Injectable } from '@nestjs/common';
import { HttpConfig } from '../config/parts/http-config.js';

/**
 * Who may speak to this server at all, told by the `Host` and `Origin` of a request: a web page of somebody else must
 * not reach a server on its visitor's machine, by a foreign origin or by a name of its own that resolves to loopback.
 */
@Injectable()
export class RequestGuard {
  private readonly hosts: ReadonlySet<string> | undefined;
  private readonly origins: ReadonlySet<string>;

  constructor(config: HttpConfig) {
    this.origins = new Set(config.ALLOWED_ORIGINS.map((origin) => origin.replace(/\/$/, '').toLowerCase()));
    const listed = config.ALLOWED_HOSTS.map((host) => host.toLowerCase());
    if (listed.length > 0) this.hosts = new Set(listed);
    // A token, or the decision to have none on any address, makes the name unimportant.
    else if (!config.API_TOKEN && config.AUTH_MODE !== 'none')
      this.hosts = new Set(['localhost', '127.0.0.1', '[::1]', config.HOST]);
  }

  /** Why the request is refused, as a sentence; undefined when it is not. */
  faultOf(request: Pick<IncomingMessage, 'headers'>): string | undefined {
    const host = request.headers.host?.toLowerCase() ?? '';
    if (this.hosts && !this.hosts.has(hostName(host))) return 'This Host is not served here (ALLOWED_HOSTS).';
    const origin = request.headers.origin?.toLowerCase();
    if (origin === undefined || origin === `http://${host}` || origin === `https://${host}`) return undefined;
    return this.origins.has(origin) ? undefined : 'This Origin is not allowed here (ALLOWED_ORIGINS).';
  }
}

function hostName(host: string): string {
  return host.replace(/:\d+$/, '');
}
