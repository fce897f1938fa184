const HEAD = [
  '# Configuration',
  '',
  'Generated from the code by `npm run generate`; do not edit.',
  '',
  'Everything is set by environment variables, or by a `.env` file in the working directory (the environment wins). An',
  'empty variable counts as unset. A server whose configuration is not valid does not start, and names every fault at once.',
  'Lists are separated by commas.',
  '',
];

const TABLE_HEAD = ['| variable | type | default | meaning |', '| --- | --- | --- | --- |'];

/** `docs/configuration.md`: a table for each part of the configuration. */
export function configurationPage(parts) {
  const sections = parts.flatMap(({ title, variables }) => [
    `## ${title}`,
    '',
    ...TABLE_HEAD,
    ...variables.map(toRow),
    '',
  ]);
  return [...HEAD, ...sections].join('\n');
}

function toRow({ name, type, unit, defaultText, description, secret }) {
  const units = unit ? ` (${unit})` : '';
  const file = secret ? ` Secret: \`${name}_FILE\` may name a file that holds it.` : '';
  return `| \`${name}\` | ${type}${units} | ${defaultText} | ${description}${file} |`;
}
