import {
  IsArray,
  IsBoolean,
  IsIn,
  IsInt,
  IsOptional,
  IsString,
  IsUrl,
  Matches,
  Max,
  Min,
} from 'class-validator';
import { Variable } from '../variable.decorator.js';

/** What manifests and examples ship where a secret belongs. */
const PLACEHOLDER = /^(replace|change)[-_]?me/i;

/** The address of the service, and who may speak to it there. */
export class HttpConfig {
  static readonly title = 'HTTP';

  @Variable({
    type: 'integer',
    defaultText: '8000',
    description: 'TCP port of the HTTP and WebSocket server; 0 takes a free one.',
  })
  @IsInt()
  @Min(0)
  @Max(65535)
  PORT: number = 8000;

  @Variable({
    type: 'string',
    defaultText: '127.0.0.1',
    description: 'Address to listen on; anything but loopback needs API_TOKEN or AUTH_MODE=none.',
  })
  @IsString()
  HOST: string = '127.0.0.1';

  @Variable({
    type: 'string',
    defaultText: 'none',
    secret: true,
    description: 'Bearer token that callers must present.',
  })
  @IsOptional()
  @Matches(/^(?!(replace|change)[-_]?me)\S{16,}$/i, {
    message: ({ value }) =>
      PLACEHOLDER.test(String(value))
        ? 'is still a placeholder: set a random word of your own, such as `openssl rand -hex 32` prints'
        : 'must be at least 16 characters without spaces',
  })
  API_TOKEN?: string;

  @Variable({
    type: 'string',
    defaultText: 'token',
    description: '`token` asks for API_TOKEN when one is set; `none` lets everybody in, on any address.',
  })
  @IsIn(['token', 'none'])
  AUTH_MODE: 'token' | 'none' = 'token';

  @Variable({
    type: 'list',
    defaultText: 'same origin only',
    description: 'Origins of web pages that may connect, as `https://host,…`.',
  })
  @IsArray()
  @IsUrl(
    { require_tld: false, protocols: ['http', 'https'] },
    { each: true, message: 'each must be an origin like https://maps.example' },
  )
  ALLOWED_ORIGINS: string[] = [];

  @Variable({
    type: 'list',
    defaultText: 'loopback names and HOST; any when API_TOKEN is set',
    description:
      'Host names under which the server is reached; a request with another Host header is refused.',
  })
  @IsArray()
  @IsString({ each: true })
  ALLOWED_HOSTS: string[] = [];

  @Variable({
    type: 'boolean',
    defaultText: 'true',
    description: 'Whether GraphQL introspection is answered.',
  })
  @IsBoolean()
  GRAPHQL_INTROSPECTION: boolean = true;

  faults(): string[] {
    if (this.isLoopback || this.API_TOKEN || this.AUTH_MODE === 'none') return [];
    return ['API_TOKEN is required because HOST is not loopback (or set AUTH_MODE=none to let everybody in)'];
  }

  private get isLoopback(): boolean {
    return /^(127\.\d+\.\d+\.\d+|::1|localhost)$/.test(this.HOST);
  }
}
