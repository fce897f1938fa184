import { KubeConfig } from '@kubernetes/client-node';
import { messageOf } from '../../../common/app-error.js';
import { RuntimeUnavailableError } from '../../runtime.errors.js';
import { ApiConnection } from './api-connection.js';

export interface Connected {
  connection: ApiConnection;
  /** This server is a pod of the cluster. */
  isInside: boolean;
}

/** Finds the cluster: the file that is named, else as kubectl does, else the pod's own service account. */
export function connect(kubeconfig: string | undefined): Connected {
  const config = new KubeConfig();
  try {
    if (kubeconfig) config.loadFromFile(kubeconfig);
    else config.loadFromDefault();
  } catch (error) {
    throw new RuntimeUnavailableError(`The kubeconfig cannot be read: ${messageOf(error)}`, error);
  }
  const cluster = config.getCurrentCluster();
  // What the library makes up when it finds nothing.
  if (!cluster || (cluster.name === 'cluster' && cluster.server === 'http://localhost:8080')) {
    throw new RuntimeUnavailableError(
      'There is no cluster to connect to: set KUBECONFIG to a kubeconfig file.',
    );
  }
  return { connection: new ApiConnection(config), isInside: cluster.name === 'inCluster' };
}
