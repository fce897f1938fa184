/** The path of an output's download on this service's address. */
export function outputUrl(jobId: string, path: string): string {
  return `/jobs/${jobId}/outputs/${path.split('/').map(encodeURIComponent).join('/')}`;
}
