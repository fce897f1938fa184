import { onControl } from './control.mjs';

/** Preloaded into a server: its wall clock can be set, as an operator or NTP sets a machine's. Timers are not moved. */
const RealDate = Date;
const realNow = Date.now;
let offsetMs = 0;
onControl((control) => (offsetMs = control.clockOffsetMs ?? 0));

RealDate.now = () => realNow() + offsetMs;
// A proxy and no subclass: dates that the platform makes itself stay instances of it.
globalThis.Date = new Proxy(RealDate, {
  construct: (target, args) => new target(...(args.length === 0 ? [target.now()] : args)),
  apply: (target) => new target(target.now()).toString(),
});
