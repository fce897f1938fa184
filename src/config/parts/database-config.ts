import { IsInt, IsOptional, Matches, Max, Min } from 'class-validator';
import { Variable } from '../variable.decorator.js';

/** Where jobs are kept. */
export class DatabaseConfig {
  static readonly title = 'Database';

  @Variable({
    type: 'string',
    defaultText: 'a SQLite file in DATA_DIR',
    secret: true,
    description: 'Database: `postgres://…` for PostgreSQL, `sqlite:<path>` or unset for SQLite.',
  })
  @IsOptional()
  @Matches(/^(postgres(ql)?:\/\/|sqlite:)/, { message: 'must start with postgres:// or sqlite:' })
  DATABASE_URL?: string;

  @Variable({ type: 'integer', defaultText: '10', description: 'Connections to PostgreSQL at most.' })
  @IsInt()
  @Min(1)
  @Max(1000)
  DATABASE_POOL_SIZE: number = 10;
}
