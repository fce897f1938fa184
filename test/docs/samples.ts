/** `…` in a sample stands for whatever was printed there. */
const ANYTHING = '…';

/** Throws unless `printed` is what the sample says. Of JSON the layout does not count, and with `isOfSameFields` only names do. */
export function expectSample(
  printed: string,
  sample: string,
  { language, isOfSameFields }: { language: string; isOfSameFields: boolean },
): void {
  const isSame =
    language === 'json'
      ? isSameJson(JSON.parse(printed), JSON.parse(sample), isOfSameFields)
      : toRegExp(sample.trim()).test(printed.trim());
  if (!isSame) throw new Error(`The block above printed:\n${printed}\nThe page shows:\n${sample}`);
}

function isSameJson(printed: unknown, sample: unknown, isOfSameFields: boolean): boolean {
  if (Array.isArray(sample) && Array.isArray(printed)) {
    if (isOfSameFields)
      return printed.length === 0 || sample.length === 0 || isSameJson(printed[0], sample[0], isOfSameFields);
    return sample.length === printed.length && sample.every((item, i) => isSameJson(printed[i], item, false));
  }
  if (isObject(sample) && isObject(printed)) {
    const names = Object.keys(sample);
    return (
      names.length === Object.keys(printed).length &&
      names.every((name) => name in printed && isSameJson(printed[name], sample[name], isOfSameFields))
    );
  }
  if (isOfSameFields) return isObject(sample) === isObject(printed);
  if (typeof sample === 'string' && typeof printed === 'string') return toRegExp(sample).test(printed);
  return sample === printed;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function toRegExp(sample: string): RegExp {
  const parts = sample.split(ANYTHING).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('[^]*')}$`);
}
