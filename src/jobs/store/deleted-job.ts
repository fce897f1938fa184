/** A job whose rows are gone, and the workspaces that are left of it. */
export interface DeletedJob {
  id: string;
  workspaces: string[];
}
