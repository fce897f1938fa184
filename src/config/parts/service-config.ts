import { IsIn, IsOptional, IsString, Matches } from 'class-validator';
import { Variable } from '../variable.decorator.js';

/** What this installation is called, and how it speaks to its operator. */
export class ServiceConfig {
  static readonly title = 'The service itself';

  @Variable({
    type: 'string',
    defaultText: 'made at first start, kept in DATA_DIR',
    description: 'Name that marks this installation’s containers and pods as its own.',
  })
  @IsOptional()
  @Matches(/^[a-z0-9][a-z0-9-]{0,62}$/, { message: 'must be of a-z, 0-9 and -, at most 63 characters' })
  INSTALLATION_ID?: string;

  @Variable({
    type: 'string',
    defaultText: 'info',
    description: 'Least important level that is logged: fatal, error, warn, info, debug, trace or silent.',
  })
  @IsIn(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
  LOG_LEVEL: string = 'info';

  @Variable({
    type: 'string',
    defaultText: 'development',
    description: '`production` refuses choices that are only fit for development.',
  })
  @IsString()
  NODE_ENV: string = 'development';

  get isProduction(): boolean {
    return this.NODE_ENV === 'production';
  }
}
