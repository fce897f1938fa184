/** The API shows limits as GraphQL integers, which have 32 bits. */
export const MAX_INT32 = 2 ** 31 - 1;
