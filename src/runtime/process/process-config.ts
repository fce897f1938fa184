import { IsIn, IsString } from 'class-validator';
import type { AppConfig } from '../../config/app-config.js';
import { Variable } from '../../config/variable.decorator.js';

/** What can be set of the process runtime. */
export class ProcessConfig {
  static readonly title = 'The process runtime';

  @Variable({
    type: 'string',
    defaultText: 'bubblewrap',
    description: 'Sandbox of the process runtime; `none` runs scripts unprotected.',
  })
  @IsIn(['bubblewrap', 'none'])
  PROCESS_ISOLATION: 'bubblewrap' | 'none' = 'bubblewrap';

  @Variable({
    type: 'string',
    defaultText: 'python3',
    description: 'Python interpreter of the process runtime.',
  })
  @IsString()
  PROCESS_PYTHON: string = 'python3';

  faults({ execution, service }: AppConfig): string[] {
    const isAskedFor = service.isProduction && execution.EXECUTION_RUNTIME === 'process';
    if (!isAskedFor || this.PROCESS_ISOLATION !== 'none') return [];
    return ['PROCESS_ISOLATION=none is not allowed with NODE_ENV=production'];
  }
}
