import type { DocumentNode, GraphQLSchema } from 'graphql';
import type { ComplexityEstimatorArgs } from 'graphql-query-complexity';
import { fieldExtensionsEstimator, getComplexity } from 'graphql-query-complexity';
import { AppError } from '../common/app-error.js';

/** Longest query that is parsed, in lexical tokens: about ten times what the largest sensible one needs. */
export const MAX_QUERY_TOKENS = 5_000;
/** A page of a hundred jobs with every field but their logs costs about half of this. */
const MAX_COST = 20_000;

/** @throws AppError `QUERY_TOO_COMPLEX` */
export function refuseCostlyQuery(
  schema: GraphQLSchema,
  query: DocumentNode,
  variables: Record<string, unknown> | undefined,
  operationName: string | undefined,
): void {
  const cost = costOf(schema, query, variables, operationName);
  if (cost === undefined || cost <= MAX_COST) return;
  throw new AppError(
    'QUERY_TOO_COMPLEX',
    `This query costs ${cost}; at most ${MAX_COST} are allowed. Ask for fewer items (first) or fewer fields.`,
  );
}

/** Undefined when variables do not fit the query: execution then says so better. */
function costOf(
  schema: GraphQLSchema,
  query: DocumentNode,
  variables: Record<string, unknown> | undefined,
  operationName: string | undefined,
): number | undefined {
  try {
    return getComplexity({
      schema,
      query,
      variables,
      operationName,
      estimators: [fieldExtensionsEstimator(), byPageSize],
    });
  } catch {
    return undefined;
  }
}

/** A field costs 1 and its children, once per item where `first` says how many. */
function byPageSize({ args, childComplexity }: ComplexityEstimatorArgs): number {
  const items = typeof args.first === 'number' && args.first > 0 ? args.first : 1;
  return 1 + items * childComplexity;
}
