import { Readable } from 'node:stream';
import yazl from 'yazl';
import { zipNames } from './zip-names.js';

export interface ZipEntry {
  path: string;
  size: number;
  modifiedAtMs: number;
  open(): Promise<Readable>;
}

/** What a zip can say; outside of it yazl throws where nobody can catch. */
const FIRST_ZIP_TIME_MS = Date.UTC(1980, 0, 1);
const LAST_ZIP_TIME_MS = Date.UTC(2107, 11, 31);

/** A zip of `entries`, made while it is read. What goes wrong on the way destroys this stream and nothing else. */
export function zipStream(entries: readonly ZipEntry[]): Readable {
  const zip = new yazl.ZipFile();
  const archive = zip.outputStream as unknown as Readable;
  // First of all: yazl opens the first entry as soon as it is added, and an error nobody hears ends the process.
  zip.on('error', (error: Error) => archive.destroy(error));
  const names = zipNames(entries.map(({ path }) => path));
  for (const [at, entry] of entries.entries()) addEntry(zip, archive, names[at] ?? entry.path, entry);
  zip.end();
  return archive;
}

function addEntry(zip: yazl.ZipFile, archive: Readable, name: string, entry: ZipEntry): void {
  const options = { mtime: zipTime(entry.modifiedAtMs), size: entry.size };
  zip.addReadStreamLazy(name, options, (done) => {
    entry.open().then(
      (source) => {
        // yazl neither listens for errors of what it is given nor closes it when the archive is no longer wanted.
        source.on('error', (error) => archive.destroy(error));
        if (archive.destroyed) source.destroy();
        const close = (): void => void source.destroy();
        archive.once('close', close);
        source.once('close', () => archive.off('close', close));
        done(null, source);
      },
      (error: unknown) => done(error, Readable.from([])),
    );
  });
}

function zipTime(ms: number): Date {
  return new Date(Math.min(Math.max(ms, FIRST_ZIP_TIME_MS), LAST_ZIP_TIME_MS));
}
