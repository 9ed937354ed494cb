/** When an order to cancel has had its day. */
import { sql as raw } from 'kysely';
import { hasEnded, states } from '../job/state.js';

const ended = raw.join(states.filter(hasEnded).map((state) => raw.lit(state)));

/** Of a row of sluice_cancels: its run has ended, and is recorded. */
export const runHasEnded = raw<boolean>`exists (
  select 1 from sluice_jobs as job where job.id = sluice_cancels.id
  and (job.run > sluice_cancels.run or (job.run = sluice_cancels.run and job.state in (${ended}))))`;
