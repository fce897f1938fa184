import { createHash, timingSafeEqual } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { HttpConfig } from '../config/http-config.js';

/** The one bearer token of this service. */
@Injectable()
export class ApiToken {
  private readonly digest: Buffer | undefined;

  constructor(config: HttpConfig) {
    if (config.API_TOKEN && config.AUTH_MODE !== 'none') this.digest = sha256(config.API_TOKEN);
  }

  get isRequired(): boolean {
    return this.digest !== undefined;
  }

  /** Whether an `Authorization` value (`Bearer <token>`) lets its sender in. */
  accepts(authorization: unknown): boolean {
    if (!this.digest) return true;
    const token = typeof authorization === 'string' ? /^Bearer +(\S+)$/i.exec(authorization)?.[1] : undefined;
    return token !== undefined && timingSafeEqual(sha256(token), this.digest);
  }
}

/** Digests have one length, so that the comparison takes one time. */
function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
