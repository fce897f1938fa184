import type { ASTNode, DocumentNode, GraphQLSchema, SelectionNode } from 'graphql';
import { BREAK, Kind, parse, specifiedRules, validate, visit } from 'graphql';
import { MAX_QUERY_TOKENS } from './query-cost.js';

/** A parsed text takes a hundred times its length: together these take 10 MB at most. */
const MAX_KEPT = 50;
const MAX_KEPT_CHARS = 2_048;

export interface SubscriptionDocument {
  readonly document: DocumentNode;
  /** Equal for operations that show the same of the same event. */
  shareKey(operationName: string | null | undefined, variables: unknown): string;
}

/** Texts of subscriptions, parsed and found valid: a crowd of subscribers sends the same one. */
export class SubscriptionDocuments {
  private readonly kept = new Map<string, SubscriptionDocument>();
  private made = 0;

  constructor(private readonly schema: GraphQLSchema) {}

  /** @throws GraphQLError when the text is no valid operation of the schema. */
  read(text: string): SubscriptionDocument {
    const read = this.kept.get(text) ?? this.make(text);
    // Said again, it becomes the last to be forgotten.
    this.kept.delete(text);
    if (text.length <= MAX_KEPT_CHARS) this.kept.set(text, read);
    const [oldest] = this.kept.size > MAX_KEPT ? this.kept.keys() : [];
    if (oldest !== undefined) this.kept.delete(oldest);
    return read;
  }

  private make(text: string): SubscriptionDocument {
    const document = parse(text, { maxTokens: MAX_QUERY_TOKENS });
    const [fault] = validate(this.schema, document, specifiedRules);
    if (fault) throw fault;
    const number = ++this.made;
    const dependsOnVariables = document.definitions.some(usesVariablesOnEvents);
    return {
      document,
      shareKey: (operationName, variables) =>
        JSON.stringify([number, operationName, dependsOnVariables ? variables : null]),
    };
  }
}

/** Variables in the arguments of the subscription itself choose the events, not what is shown of one. */
function usesVariablesOnEvents(definition: ASTNode): boolean {
  if (definition.kind !== Kind.OPERATION_DEFINITION) return hasVariable(definition);
  return definition.selectionSet.selections.flatMap(belowArguments).some(hasVariable);
}

function belowArguments(selection: SelectionNode): ASTNode[] {
  if (selection.kind !== Kind.FIELD) return [selection];
  return [...(selection.directives ?? []), ...(selection.selectionSet ? [selection.selectionSet] : [])];
}

function hasVariable(node: ASTNode): boolean {
  let found = false;
  visit(node, {
    Variable: () => {
      found = true;
      return BREAK;
    },
  });
  return found;
}
