import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import type { Server } from 'node:https';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import type { TestCluster } from './runtime-kubernetes.js';

const CONFIGURATIONS = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations';

/** An admission webhook on this machine that refuses every pod of one test namespace. */
export class RefusingWebhook {
  private constructor(
    private readonly server: Server,
    private readonly cluster: TestCluster,
  ) {}

  /** `status` is what the webhook says in its refusal; undefined: it answers with no review at all. */
  static async open(
    cluster: TestCluster,
    status: { code: number; message: string } | undefined,
  ): Promise<RefusingWebhook> {
    const { cert, key } = await makeCertificate();
    const server = createServer({ cert, key }, (request, response) => {
      void text(request).then((body) => {
        if (!status) return response.writeHead(500).end();
        const { apiVersion, kind, request: asked } = JSON.parse(body) as Review;
        response.setHeader('Content-Type', 'application/json');
        response.end(
          JSON.stringify({ apiVersion, kind, response: { uid: asked.uid, allowed: false, status } }),
        );
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const webhook = new RefusingWebhook(server, cluster);
    await webhook.register(cert);
    return webhook;
  }

  async close(): Promise<void> {
    await this.cluster.delete(`${CONFIGURATIONS}/${this.cluster.namespace}`);
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async register(cert: string): Promise<void> {
    const { namespace } = this.cluster;
    const labels = { 'maps-test': namespace };
    await this.cluster.patch(this.cluster.base, { metadata: { labels } });
    const { port } = this.server.address() as AddressInfo;
    await this.cluster.post(CONFIGURATIONS, {
      metadata: { name: namespace },
      webhooks: [
        {
          name: 'policy.example.com',
          clientConfig: { url: `https://127.0.0.1:${port}/`, caBundle: Buffer.from(cert).toString('base64') },
          rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }],
          namespaceSelector: { matchLabels: labels },
          failurePolicy: 'Fail',
          sideEffects: 'None',
          admissionReviewVersions: ['v1'],
        },
      ],
    });
  }
}

interface Review {
  apiVersion: string;
  kind: string;
  request: { uid: string };
}

async function makeCertificate(): Promise<{ cert: string; key: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'webhook-'));
  const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const args = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', ...subject];
  await promisify(execFile)('openssl', [...args, '-keyout', keyFile, '-out', certFile]);
  const [cert, key] = await Promise.all([readFile(certFile, 'utf8'), readFile(keyFile, 'utf8')]);
  await rm(folder, { recursive: true });
  return { cert, key };
}
