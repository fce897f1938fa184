import 'reflect-metadata';
import { control, say } from './control.mjs';

/**
 * Preloaded into a server: cuts the sweeper's grace short, which is two minutes so that nothing young is ever taken for
 * an orphan, and says when a sweep is over. It sweeps once at each start by itself.
 */
const { OrphanSweeper } = await import(
  new URL('../../../dist/execution/upkeep/orphan-sweeper.js', import.meta.url)
);
const { sweep } = OrphanSweeper.prototype;

OrphanSweeper.prototype.sweep = async function (signal, graceMs) {
  const removed = await sweep.call(this, signal, control.sweepGraceMs ?? graceMs);
  say({ msg: 'swept', ...removed });
  return removed;
};
