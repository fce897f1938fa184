import { IsOptional, IsString, Matches } from 'class-validator';
import { Variable } from '../../config/variable.decorator.js';

/** What can be set of the docker runtime. */
export class DockerConfig {
  static readonly title = 'The docker runtime';

  @Variable({
    type: 'string',
    defaultText: "the client library's: /var/run/docker.sock",
    description: 'Docker engine: `unix:///path` or `tcp://host:port`.',
  })
  @IsOptional()
  @Matches(/^(unix|tcp|http|https):\/\/\S+$/, { message: 'must be unix:///path or tcp://host:port' })
  DOCKER_HOST?: string;

  @Variable({
    type: 'string',
    defaultText: 'DATA_DIR itself',
    description: "Where DATA_DIR is on the Docker engine's host, when the server itself runs in a container.",
  })
  @IsOptional()
  @IsString()
  DOCKER_HOST_DATA_DIR?: string;

  @Variable({
    type: 'string',
    defaultText: "the engine's default",
    description: 'OCI runtime of job containers, for example `runsc`.',
  })
  @IsOptional()
  @IsString()
  DOCKER_RUNTIME?: string;
}
