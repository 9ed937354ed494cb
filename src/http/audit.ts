/** `GET /v1/audit`: whether every job that was accepted can be accounted for. */
import type { AuditReport } from '../api/audit.js';
import { answer } from './answer.js';
import type { Answering } from './context.js';
import { parametersOf } from './reading.js';

export const auditPath = '/v1/audit';

/** @param report  one look at store and broker; rejects with `StoreUnavailable` */
export function createAuditRoute(report: () => Promise<AuditReport>): Answering {
  return async (context) => {
    parametersOf(context);
    answer(context, 200, JSON.stringify(await report()), { 'Cache-Control': 'no-store' });
  };
}
