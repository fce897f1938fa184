/**
 * Random numbers that a seed repeats. Each concern draws from a stream of its own (`derive`), so that how often one of
 * them draws, which depends on timing, changes nothing for the others.
 */
export class Random {
  #state;
  #seed;

  /** @param {string} seed */
  constructor(seed) {
    this.#seed = seed;
    this.#state = hash(seed);
  }

  /** A stream of its own for `name`: the same for the same seed. */
  derive(name) {
    return new Random(`${this.#seed}/${name}`);
  }

  /** In [0, 1). The generator is mulberry32: 32 bits of state are plenty for schedules. */
  next() {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let bits = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from `min` to `max`, both included. @param {number} min @param {number} max */
  int(min, max) {
    return min + Math.floor(this.next() * (max - min + 1));
  }

  chance(share) {
    return this.next() < share;
  }

  /** @template T @param {readonly T[]} list @returns {T} */
  pick(list) {
    return list[this.int(0, list.length - 1)];
  }

  /** @template T @param {readonly T[]} list @returns {T[]} */
  shuffle(list) {
    const shuffled = [...list];
    for (let at = shuffled.length - 1; at > 0; at--) {
      const other = this.int(0, at);
      [shuffled[at], shuffled[other]] = [shuffled[other], shuffled[at]];
    }
    return shuffled;
  }
}

/** FNV-1a over the UTF-16 units of the text. */
function hash(text) {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  return value | 0;
}
