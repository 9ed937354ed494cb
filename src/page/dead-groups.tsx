/** Dead letters by error: how many, since when, and an example. */
import type { DeadLetterGroup } from '../api/dead-letters.js';
import { count, short } from './format.js';
import { h, type JSX } from './lib/preact.js';
import { Time } from './parts.js';
import { hrefOf } from './routes.js';

const MESSAGE_SHOWN = 220;

export function DeadGroups({ groups }: { readonly groups: readonly DeadLetterGroup[] }): JSX.Element {
  return (
    <table class="cards groups">
      <thead>
        <tr>
          <th class="number">Jobs</th>
          <th>Error</th>
          <th>Type</th>
          <th>Queue</th>
          <th>First</th>
          <th>Last</th>
        </tr>
      </thead>
      <tbody>
        {groups.map(({ group, count: jobs, firstAt, lastAt, example }) => (
          <tr key={group}>
            <td class="number strong" data-label="Jobs">
              {count(jobs)}
            </td>
            <th scope="row" class="message">
              <a href={hrefOf('dead', group)}>{example.name}</a> {short(example.message, MESSAGE_SHOWN)}
            </th>
            <td data-label="Type">{example.type}</td>
            <td data-label="Queue">{example.queue}</td>
            <td data-label="First">
              <Time at={firstAt} />
            </td>
            <td data-label="Last">
              <Time at={lastAt} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
