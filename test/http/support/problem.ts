/** What every refusal has in common. */
import { expect } from 'chai';
import type { ErrorCode } from '../../../src/api/contract.js';
import type { Reply } from './serve.js';

export function expectProblem(reply: Reply, status: number, code: ErrorCode): void {
  const problem = reply.json();
  expect([reply.status, problem.status, problem.code]).to.deep.equal([status, status, code], reply.text);
  expect(reply.headers['content-type']).to.equal('application/problem+json');
  expect(problem.type).to.equal('about:blank');
  expect(problem.title).to.be.a('string').and.not.equal('');
  expect(reply.headers['x-request-id']).to.be.a('string');
}
