import { logFigures, measureLogThroughput } from '../lib/log-throughput.mjs';

export const title = 'log throughput, process: a million lines to one subscriber';

export async function measure() {
  return logFigures('process', await measureLogThroughput('process'));
}
