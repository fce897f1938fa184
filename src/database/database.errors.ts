/** Another process has the SQLite file open. */
export class DatabaseInUseError extends Error {
  constructor(path: string) {
    super(
      `${path} is in use by another running server. ` +
        'SQLite serves one server at a time: stop the other one, choose another DATA_DIR, or use PostgreSQL (DATABASE_URL).',
    );
    this.name = 'DatabaseInUseError';
  }
}

/** The database was written by a newer version of this service. */
export class SchemaTooNewError extends Error {
  constructor(unknown: readonly string[]) {
    super(
      `The database has migrations that this version does not know (${unknown.join(', ')}). ` +
        'Run the newer version again, or restore a backup from before the upgrade.',
    );
    this.name = 'SchemaTooNewError';
  }
}
