import { createHash, timingSafeEqual } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { Principal } from '../common/principal.js';
import { DEFAULT_TENANT, SCOPES } from '../common/principal.js';
import { HttpConfig } from '../config/parts/http-config.js';

/** Whoever has the token; and everybody, where none is asked for. */
const ADMIN: Principal = { name: 'admin', tenant: DEFAULT_TENANT, scopes: new Set(SCOPES) };

/** The one bearer token of this service. */
@Injectable()
export class ApiToken {
  private readonly digest: Buffer | undefined;

  constructor(config: HttpConfig) {
    if (config.API_TOKEN && config.AUTH_MODE !== 'none') this.digest = sha256(config.API_TOKEN);
  }

  /** Whom an `Authorization` value (`Bearer <token>`) lets in; undefined: nobody. */
  principalOf(authorization: unknown): Principal | undefined {
    if (!this.digest) return ADMIN;
    const token = typeof authorization === 'string' ? /^Bearer +(\S+)$/i.exec(authorization)?.[1] : undefined;
    return token !== undefined && timingSafeEqual(sha256(token), this.digest) ? ADMIN : undefined;
  }
}

/** Digests have one length, so that the comparison takes one time. */
function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
