import { IsArray, Matches } from 'class-validator';
import { mapEntries } from '../map-entries.js';
import { Variable } from '../variable.decorator.js';

const ENVIRONMENT_ENTRY = /^[a-z0-9][a-z0-9-]{0,62}=\S+$/;

/** The environments a job may name. */
export class EnvironmentsConfig {
  static readonly title = 'Environments';

  @Variable({
    type: 'string',
    defaultText: 'py-exec:latest',
    description: 'Image of the environment `default`.',
  })
  @Matches(/^\S+$/, { message: 'must be an image reference' })
  RUNNER_IMAGE: string = 'py-exec:latest';

  @Variable({
    type: 'map',
    defaultText: 'none',
    description: 'More environments a job may name, as `name=image,…`; only listed images ever run.',
  })
  @IsArray()
  @Matches(ENVIRONMENT_ENTRY, {
    each: true,
    message: 'each entry must be name=image, the name of a-z, 0-9 and -',
  })
  RUNNER_ENVIRONMENTS: string[] = [];

  private images?: ReadonlyMap<string, string>;

  /** Every environment a job may name, with its image; `default` first. */
  get all(): ReadonlyMap<string, string> {
    return (this.images ??= new Map([
      ['default', this.RUNNER_IMAGE],
      ...mapEntries(this.RUNNER_ENVIRONMENTS),
    ]));
  }

  /** The image of an environment; the default one's for a job whose environment is not configured any more. */
  imageOf(environment: string): string {
    return this.all.get(environment) ?? this.RUNNER_IMAGE;
  }

  faults(): string[] {
    if (!this.RUNNER_ENVIRONMENTS.some((entry) => entry.startsWith('default='))) return [];
    return ['RUNNER_ENVIRONMENTS must not name default, whose image is RUNNER_IMAGE'];
  }
}
