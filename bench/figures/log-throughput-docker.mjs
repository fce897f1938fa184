import { logFigures, measureLogThroughput } from '../lib/log-throughput.mjs';

export const title = 'log throughput, Docker: a million lines to one subscriber';

export async function measure() {
  return logFigures('Docker', await measureLogThroughput('docker'));
}
