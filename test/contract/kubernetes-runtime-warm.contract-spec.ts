import { KUBE_IMAGE, TestCluster, whyNoKubernetes } from '../support/runtime-kubernetes.js';
import { describeRuntimeContract } from './runtime-provider.contract.js';

const unavailable = await whyNoKubernetes();
const cluster = unavailable === undefined ? await TestCluster.open() : undefined;

describeRuntimeContract('kubernetes, warm', {
  isWarm: true,
  create: (dataDir) => cluster!.runtime(dataDir, { reconcileMs: 2_000 }),
  hooks: {
    makeWithoutStart: (spec) => cluster!.makeWithoutStart(spec),
    removeBehind: (handle) => cluster!.removeBehind(handle),
    describe: (handle) => cluster!.describe(handle),
    leftovers: async () => {
      const left = await cluster!.leftovers();
      await cluster!.close();
      return left;
    },
  },
  image: KUBE_IMAGE,
  runsPython: true,
  expectedGaps: ['tmp', 'no-network', 'apart-network'],
  requiredTier: 'kubernetes',
  ...(unavailable === undefined ? {} : { unavailable }),
});
