import { IsString } from 'class-validator';
import { Variable } from '../../../../src/config/variable.decorator.js';

export class SubprocessConfig {
  static readonly title = 'The subprocess runtime';

  @Variable({ type: 'string', defaultText: 'python3', description: 'Python interpreter of scripts.' })
  @IsString()
  SUBPROCESS_PYTHON: string = 'python3';
}
