/** One transform for every tier; scripts/test.mjs picks the files of a tier. */
export default {
  rootDir: '.',
  testEnvironment: 'node',
  /** A bound for what hangs, not a measure: a loaded machine may take many times as long as an idle one. */
  testTimeout: 180_000,
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: {
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true },
          target: 'es2023',
          keepClassNames: true,
        },
        module: { type: 'es6' },
      },
    ],
  },
  testMatch: ['<rootDir>/src/**/*.spec.ts', '<rootDir>/test/**/*.spec.ts', '<rootDir>/test/**/*-spec.ts'],
  modulePathIgnorePatterns: ['<rootDir>/dist'],
};
