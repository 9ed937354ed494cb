/** Where one job stands on the server. */
import { validate as isUuid } from 'uuid';
import { CommandFailed } from './terminal.js';

/** @throws CommandFailed  exit code 2: it is no id, and would name another path */
export function jobPath(id: string): string {
  if (!isUuid(id)) throw new CommandFailed('the id must be a UUID, as submit prints it', 2);
  return `/v1/jobs/${id.toLowerCase()}`;
}
