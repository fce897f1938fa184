/** Whose every job is. */
export const TENANT = 'default';
