import type { V1ConfigMap, V1Pod } from '@kubernetes/client-node';
import type { ApiConnection, ApiRequest } from './api-connection.js';
import { ApiStatusError, rethrowUnavailable } from './api.errors.js';
import { STOPPED_ANNOTATION } from '../labels.js';
import type { ObservedEvent, ObservedObject, ObservedPod } from '../observed-pod.js';

const READ_TIMEOUT_MS = 15_000;
/** Making an object passes through admission webhooks, which may take their time. */
const WRITE_TIMEOUT_MS = 35_000;
/** Ends a pod as soon as its kubelet looks: the smallest deadline there is. */
const PAST_DEADLINE_SECONDS = 1;

export interface ObjectList<T> {
  metadata: { resourceVersion: string };
  items: T[];
}

/** A volume claim as far as placing pods goes. */
export interface ObservedVolumeClaim {
  spec: { accessModes?: string[] };
  status?: { phase?: string; accessModes?: string[] };
}

/** The few requests this runtime makes, in one namespace. Reads refuse with `RuntimeUnavailableError` only. */
export class Cluster {
  constructor(
    private readonly connection: ApiConnection,
    readonly namespace: string,
    private readonly selector: string,
  ) {}

  async version(signal?: AbortSignal): Promise<{ major: string; minor: string; gitVersion: string }> {
    return this.read<{ major: string; minor: string; gitVersion: string }>('/version', {}, signal);
  }

  /** Unique to this namespace of this cluster, and gone with either. */
  async namespaceUid(signal?: AbortSignal): Promise<string> {
    const found = await this.read<ObservedObject>(`/api/v1/namespaces/${this.namespace}`, {}, signal);
    return found.metadata.uid;
  }

  /** Undefined when there is no such volume claim. */
  async volumeClaim(name: string, signal?: AbortSignal): Promise<ObservedVolumeClaim | undefined> {
    return this.find<ObservedVolumeClaim>(`persistentvolumeclaims/${name}`, signal);
  }

  /** Whether pods can be listed, as cheaply as that can be asked. */
  async ping(timeoutMs: number, signal?: AbortSignal): Promise<void> {
    const query = { limit: '1', resourceVersion: '0', labelSelector: this.selector };
    await this.request({ method: 'GET', path: this.path('pods'), query }, timeoutMs, signal).catch(
      rethrowUnavailable,
    );
  }

  async listPods(signal?: AbortSignal): Promise<ObjectList<ObservedPod>> {
    return this.list<ObservedPod>('pods', signal);
  }

  async listConfigMaps(signal?: AbortSignal): Promise<ObjectList<ObservedObject>> {
    return this.list<ObservedObject>('configmaps', signal);
  }

  /** Opens the stream of changes after `resourceVersion`. @throws ApiStatusError 410 when that is too long ago */
  watchPods(
    resourceVersion: string,
    timeoutSeconds: number,
    signal: AbortSignal,
  ): Promise<AsyncIterable<string>> {
    const query = {
      watch: 'true',
      allowWatchBookmarks: 'true',
      labelSelector: this.selector,
      resourceVersion,
      timeoutSeconds: String(timeoutSeconds),
    };
    return this.connection.lines({ method: 'GET', path: this.path('pods'), query }, READ_TIMEOUT_MS, signal);
  }

  async findPod(name: string, signal?: AbortSignal): Promise<ObservedPod | undefined> {
    return this.find<ObservedPod>(`pods/${name}`, signal);
  }

  async findConfigMap(name: string, signal?: AbortSignal): Promise<ObservedObject | undefined> {
    return this.find<ObservedObject>(`configmaps/${name}`, signal);
  }

  /** What the cluster told about this pod, oldest first. */
  async eventsOf(podUid: string, signal?: AbortSignal): Promise<ObservedEvent[]> {
    const query = { fieldSelector: `involvedObject.uid=${podUid}` };
    const { items } = await this.read<ObjectList<ObservedEvent>>(this.path('events'), query, signal);
    return items;
  }

  /** @throws ApiStatusError */
  async createPod(pod: V1Pod): Promise<ObservedPod> {
    return this.request<ObservedPod>(
      { method: 'POST', path: this.path('pods'), body: pod },
      WRITE_TIMEOUT_MS,
    );
  }

  /** @throws ApiStatusError */
  async createConfigMap(configMap: V1ConfigMap): Promise<ObservedObject> {
    const request = { method: 'POST', path: this.path('configmaps'), body: configMap } as const;
    return this.request<ObservedObject>(request, WRITE_TIMEOUT_MS);
  }

  /** Lets the ConfigMap go with its pod. One that is gone already is a success. */
  async ownConfigMap(name: string, pod: ObservedPod): Promise<void> {
    const { uid } = pod.metadata;
    const owner = { apiVersion: 'v1', kind: 'Pod', name: pod.metadata.name, uid };
    await this.patch(`configmaps/${name}`, { metadata: { ownerReferences: [owner] } });
  }

  /**
   * Ends a pod and leaves its record: a past deadline makes the kubelet end it as any other end. A pod that is not there
   * is a success.
   */
  async expirePod(name: string, uid: string, signal?: AbortSignal): Promise<void> {
    const metadata = { uid, annotations: { [STOPPED_ANNOTATION]: 'true' } };
    await this.patch(
      `pods/${name}`,
      { metadata, spec: { activeDeadlineSeconds: PAST_DEADLINE_SECONDS } },
      signal,
    );
  }

  /**
   * Deletes this very pod; one that is not there is a success. `graceSeconds` 0 takes the object away at once, whether
   * or not its processes have ended. With `resourceVersion` only the pod as it was then: false when it has changed.
   */
  async deletePod(
    name: string,
    uid: string,
    { graceSeconds, resourceVersion }: { graceSeconds: number; resourceVersion?: string },
    signal?: AbortSignal,
  ): Promise<boolean> {
    const preconditions = { uid, ...(resourceVersion ? { resourceVersion } : {}) };
    const body = { gracePeriodSeconds: graceSeconds, preconditions, propagationPolicy: 'Background' };
    return this.delete(`pods/${name}`, body, signal);
  }

  async deleteConfigMap(name: string, signal?: AbortSignal): Promise<void> {
    await this.delete(`configmaps/${name}`, {}, signal);
  }

  close(): void {
    this.connection.close();
  }

  private path(rest: string): string {
    return `/api/v1/namespaces/${this.namespace}/${rest}`;
  }

  private list<T>(resource: string, signal?: AbortSignal): Promise<ObjectList<T>> {
    return this.read<ObjectList<T>>(this.path(resource), { labelSelector: this.selector }, signal);
  }

  private async find<T>(rest: string, signal?: AbortSignal): Promise<T | undefined> {
    return this.request<T>({ method: 'GET', path: this.path(rest) }, READ_TIMEOUT_MS, signal)
      .catch(orUndefined(404))
      .catch(rethrowUnavailable);
  }

  private read<T>(path: string, query: Record<string, string>, signal?: AbortSignal): Promise<T> {
    return this.request<T>({ method: 'GET', path, query }, READ_TIMEOUT_MS, signal).catch(rethrowUnavailable);
  }

  private async patch(rest: string, body: unknown, signal?: AbortSignal): Promise<void> {
    const contentType = 'application/merge-patch+json';
    const request = { method: 'PATCH', path: this.path(rest), body, contentType } as const;
    // 409: another object of this name, so that ours is gone.
    await this.request(request, WRITE_TIMEOUT_MS, signal)
      .catch(orUndefined(404, 409))
      .catch(rethrowUnavailable);
  }

  /** 409: not the object that was meant. */
  private async delete(rest: string, body: unknown, signal?: AbortSignal): Promise<boolean> {
    return this.request({ method: 'DELETE', path: this.path(rest), body }, WRITE_TIMEOUT_MS, signal)
      .then(() => true)
      .catch((error: unknown) => {
        if (error instanceof ApiStatusError && error.status === 404) return true;
        if (error instanceof ApiStatusError && error.status === 409) return false;
        throw error;
      })
      .catch(rethrowUnavailable);
  }

  private request<T>(request: ApiRequest, timeoutMs: number, signal?: AbortSignal): Promise<T> {
    return this.connection.json<T>(request, timeoutMs, signal);
  }
}

function orUndefined(...statuses: number[]): (error: unknown) => undefined {
  return (error) => {
    if (error instanceof ApiStatusError && statuses.includes(error.status)) return undefined;
    throw error;
  };
}
