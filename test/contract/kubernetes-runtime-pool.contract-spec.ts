import { KUBE_IMAGE, TestCluster, whyNoKubernetes } from '../support/runtime-kubernetes.js';
import { describeWarmPool } from './warm-pool.contract.js';

const unavailable = await whyNoKubernetes();
const cluster = unavailable === undefined ? await TestCluster.open() : undefined;

describeWarmPool('kubernetes', {
  create: (dataDir) => cluster!.runtime(dataDir, { reconcileMs: 2_000 }),
  leftovers: async () => {
    const left = await cluster!.leftovers();
    await cluster!.close();
    return left;
  },
  image: KUBE_IMAGE,
  requiredTier: 'kubernetes',
  ...(unavailable === undefined ? {} : { unavailable }),
});
