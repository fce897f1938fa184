import { ArrayUnique, IsArray, Matches } from 'class-validator';
import { SECRET_NAME } from '../secret-names.js';
import { SecretValues } from '../secret-values.js';
import { Variable } from '../variable.decorator.js';

/** The secrets that jobs may ask for. */
export class SecretsConfig {
  static readonly title = 'Secrets of jobs';

  @Variable({
    type: 'list',
    defaultText: 'GOOGLE_API_KEY,OPENAI_API_KEY',
    description:
      'Names of the secrets a job may ask for; the value of each is in the variable of that name, or in the file that `<name>_FILE` names. On kubernetes it is in K8S_SECRET_NAME instead.',
  })
  @IsArray()
  @ArrayUnique({ message: 'must name each secret once' })
  @Matches(SECRET_NAME, { each: true, message: 'each must be of letters, digits and underscores' })
  JOB_SECRETS: string[] = ['GOOGLE_API_KEY', 'OPENAI_API_KEY'];

  /** Of those in JOB_SECRETS that this server was given. */
  values: SecretValues = new SecretValues();
}
