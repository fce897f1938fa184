/**
 * Variables that are read before a worker has its job, by the interpreter or by libraries as they are loaded: a job that
 * sets one starts cold, and the runner refuses such an order. A star stands for any rest, also an empty one.
 */
export const UNFIT_VARIABLES: readonly string[] = [
  'PYTHON*',
  'LD_*',
  'LC_*',
  'LANG*',
  'TZ*',
  'MALLOC_*',
  'GLIBC_TUNABLES',
  'LOCPATH',
  'NLSPATH',
  'GCONV_PATH',
  'OPENSSL_*',
  'OMP_*',
  'GOMP_*',
  'KMP_*',
  'OPENBLAS_*',
  'GOTO_*',
  'BLIS_*',
  'MKL_*',
  'VECLIB_*',
  'NUMEXPR_*',
  'NPY_*',
  'GDAL_*',
  'CPL_*',
  'OGR_*',
  'OSR_*',
  'VSI_*',
  'PROJ_*',
  'MPL*',
  'MATPLOTLIB*',
  'FONTCONFIG_*',
  'FREETYPE_*',
  'HOME',
  'XDG_*',
  'TMPDIR',
  'TEMP',
  'TMP',
];

export function isUnfit(name: string): boolean {
  return UNFIT_VARIABLES.some((pattern) =>
    pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern,
  );
}
