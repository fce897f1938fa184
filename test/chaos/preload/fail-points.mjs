import 'reflect-metadata';
import { FAIL_POINTS } from '../faults/fail-point-list.mjs';
import { onControl, say } from './control.mjs';

/**
 * Preloaded into a server (`node --import`): wraps methods of its compiled classes, so that it can be made to strike
 * itself down in the middle of them. The service has no hook for this, and needs none.
 */
const dist = new URL('../../../dist/', import.meta.url);
let armed;
let passed = 0;

onControl((control) => {
  armed = control.armed;
  passed = 0;
});

const methods = new Map(FAIL_POINTS.map((point) => [`${point.className}.${point.method}`, point]));
for (const method of methods.values()) await wrap(method);

async function wrap({ module, className, method, runtime }) {
  // Another runtime's client library costs time and memory that the real server does not spend.
  if (runtime !== undefined && runtime !== process.env.EXECUTION_RUNTIME) return;
  const exported = await import(new URL(module, dist));
  if (className === 'provider') return wrapProvider(exported.RuntimeHealthMonitor, method);
  wrapMethod(exported[className]?.prototype, className, method);
}

/** The runtime's class is nobody's business but its own; its one instance is handed to the health monitor. */
function wrapProvider(monitor, method) {
  const { begin } = monitor.prototype;
  monitor.prototype.begin = function () {
    wrapMethod(Object.getPrototypeOf(this.runtime), 'provider', method);
    return begin.call(this);
  };
}

function wrapMethod(target, className, method) {
  const original = target?.[method];
  // A method that was renamed must not silently become a point that is never reached.
  if (typeof original !== 'function') throw new Error(`there is no ${className}.${method} to fail at`);
  // A method that answers at once goes on doing so: its caller does not wait for it, and would not hear of its error.
  target[method] = function (...args) {
    pass(`${className}.${method}:before`);
    const result = original.apply(this, args);
    const passBehind = (value) => {
      if (hasDoneSomething(value)) pass(`${className}.${method}:after`);
      return value;
    };
    return result instanceof Promise ? result.then(passBehind) : passBehind(result);
  };
}

/** A claim that found no job is no claim. */
function hasDoneSomething(result) {
  return !Array.isArray(result) || result.length > 0;
}

function pass(name) {
  if (armed?.name !== name || ++passed !== armed.occurrence) return;
  const { signal } = armed;
  armed = undefined;
  say({ msg: 'fail-point', name, signal });
  process.kill(process.pid, signal);
}
