/** The route of the audit, described. */
import { AuditReport } from '../../api/audit.js';
import { type Operation, readErrors } from './operation.js';

export const auditOperation: Operation = {
  id: 'getAudit',
  method: 'get',
  path: '/v1/audit',
  tag: 'Audit',
  summary: 'Is anything lost?',
  description: 'Whether every job that was accepted can be accounted for, as numbers.',
  scope: 'read',
  answer: { status: 200, description: 'One look at store and broker.', schema: AuditReport },
  errors: readErrors,
};
