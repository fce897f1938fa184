import { IsBoolean, IsInt, Max, Min } from 'class-validator';
import { MiB } from '../../common/bytes.js';
import { MAX_INT32 } from '../int32.js';
import { Variable } from '../variable.decorator.js';

/** CPUs of a job that names none. */
export const DEFAULT_CPUS = 1;

/** What a job may use, and gets when it asks for nothing. */
export class LimitsConfig {
  static readonly title = 'Limits of a job';

  @Variable({
    type: 'integer',
    unit: 'seconds',
    defaultText: '600',
    description: 'Time limit of a job that names none.',
  })
  @IsInt()
  @Min(1)
  @Max(MAX_INT32)
  DEFAULT_TIMEOUT_SECONDS: number = 600;

  @Variable({
    type: 'integer',
    unit: 'seconds',
    defaultText: '86400',
    description: 'Largest time limit a job may ask for.',
  })
  @IsInt()
  @Min(1)
  @Max(MAX_INT32)
  MAX_TIMEOUT_SECONDS: number = 86_400;

  @Variable({
    type: 'integer',
    unit: 'seconds',
    defaultText: '10',
    description: 'Time between SIGTERM and SIGKILL when a job is stopped.',
  })
  @IsInt()
  @Min(0)
  @Max(600)
  STOP_GRACE_SECONDS: number = 10;

  @Variable({
    type: 'integer',
    unit: 'MiB',
    defaultText: '1024',
    description: 'Memory limit of a job that names none.',
  })
  @IsInt()
  @Min(16)
  @Max(MAX_INT32)
  DEFAULT_MEMORY_MB: number = 1024;

  @Variable({
    type: 'integer',
    unit: 'MiB',
    defaultText: '16384',
    description: 'Largest memory limit a job may ask for.',
  })
  @IsInt()
  @Min(16)
  @Max(MAX_INT32)
  MAX_MEMORY_MB: number = 16_384;

  @Variable({
    type: 'integer',
    unit: 'CPUs',
    defaultText: '16',
    description: 'Largest CPU limit a job may ask for.',
  })
  @IsInt()
  @Min(1)
  @Max(MAX_INT32)
  MAX_CPUS: number = 16;

  @Variable({
    type: 'integer',
    unit: 'processes',
    defaultText: '256',
    description: 'Processes and threads one job may have.',
  })
  @IsInt()
  @Min(8)
  @Max(MAX_INT32)
  MAX_PIDS: number = 256;

  @Variable({
    type: 'integer',
    unit: 'bytes',
    defaultText: '67108864',
    description: "Size of a job's log; what is beyond is dropped and counted, its last 256 KiB kept.",
  })
  @IsInt()
  @Min(64 * 1024)
  @Max(Number.MAX_SAFE_INTEGER)
  MAX_LOG_BYTES: number = 64 * MiB;

  @Variable({
    type: 'integer',
    unit: 'bytes',
    defaultText: '1073741824',
    description: "Size of a job's outputs; a job beyond it is stopped with DISK_LIMIT.",
  })
  @IsInt()
  @Min(1)
  @Max(Number.MAX_SAFE_INTEGER)
  MAX_OUTPUT_BYTES: number = 1024 * MiB;

  @Variable({
    type: 'integer',
    unit: 'files',
    defaultText: '10000',
    description: 'Output files kept of one job; the rest is named in skippedOutputs.',
  })
  @IsInt()
  @Min(1)
  MAX_OUTPUT_FILES: number = 10_000;

  @Variable({
    type: 'integer',
    unit: 'bytes',
    defaultText: '268435456',
    description: 'Size of the temporary folder /tmp of a job, which counts as its memory.',
  })
  @IsInt()
  @Min(1024 * 1024)
  @Max(Number.MAX_SAFE_INTEGER)
  MAX_TMP_BYTES: number = 256 * MiB;

  @Variable({
    type: 'boolean',
    defaultText: 'true',
    description: 'Whether a job may ask for network INTERNET.',
  })
  @IsBoolean()
  ALLOW_INTERNET: boolean = true;

  faults(): string[] {
    return [
      ...(this.DEFAULT_TIMEOUT_SECONDS > this.MAX_TIMEOUT_SECONDS
        ? ['DEFAULT_TIMEOUT_SECONDS must not be larger than MAX_TIMEOUT_SECONDS']
        : []),
      ...(this.DEFAULT_MEMORY_MB > this.MAX_MEMORY_MB
        ? ['DEFAULT_MEMORY_MB must not be larger than MAX_MEMORY_MB']
        : []),
    ];
  }
}
