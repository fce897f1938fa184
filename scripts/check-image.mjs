// Holds an image to docs/runner-contract.md: runs containers of it as the server would, and looks at what they leave.
//
//   npm run check-image -- IMAGE    takes the `docker` command and an engine on this machine
import { cleanUp } from '../tools/cleanup.mjs';
import { checkImage } from './check-image/check-image.mjs';
import { loadContract } from './check-image/contract.mjs';
import { ensureBuilt, ensureInstalled } from './prepare.mjs';

const [image, ...rest] = process.argv.slice(2);
if (image === undefined || image.startsWith('-') || rest.length > 0) {
  console.error('Usage: npm run check-image -- IMAGE');
  process.exit(2);
}
for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, () => void cleanUp().then(() => process.exit(130)));
await ensureInstalled({ log: console.log });
await ensureBuilt({ log: console.log });
const isFit = await checkImage({ image, ...(await loadContract()) });
process.exit(isFit ? 0 : 1);
