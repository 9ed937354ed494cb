import { expect } from 'chai';
import type { AuditReport, Finding } from '../../src/api/audit.js';
import type { QueueView } from '../../src/api/queues.js';
import { failureOf, forecastOf, limitOf, lossOf } from '../../src/page/answers.js';

function queue(
  name: string,
  change: Partial<Omit<QueueView, 'depth'>> & { waiting?: number } = {},
): QueueView {
  const { waiting = 0, ...rest } = change;
  return {
    name,
    depth: { high: 0, normal: waiting, low: 0, total: waiting },
    scheduled: 0,
    active: 0,
    dead: 0,
    consumers: 3,
    oldestAgeMs: null,
    acceptedPerSecond: 0,
    drainedPerSecond: 0,
    forecast: { state: 'empty', emptyInMs: 0, emptyAt: null },
    isPaused: false,
    concurrency: null,
    ...rest,
  };
}

const draining = (emptyInMs: number): QueueView['forecast'] => ({
  state: 'draining',
  emptyInMs,
  emptyAt: null,
});
const forecast = (state: QueueView['forecast']['state']): QueueView['forecast'] => ({
  state,
  emptyInMs: null,
  emptyAt: null,
});

describe('the answers of the first screen', () => {
  describe('is anything lost?', () => {
    const audit = (change: Partial<AuditReport>): AuditReport => ({
      at: '2026-01-02T03:04:05.006Z',
      verdict: 'clean',
      unaccounted: 0,
      accepted: { told: 12, again: 0, implied: 0 },
      states: { succeeded: { rows: 10, deleted: 1 }, dead: { rows: 1, deleted: 0 } },
      difference: 0,
      broker: null,
      open: { rows: 0, missing: 0, unrecorded: 0, queues: [] },
      proof: { state: 'none', provenThrough: null, detail: 'the broker is not empty' },
      gaps: [],
      silent: [],
      edited: [],
      findings: [],
      ...change,
    });
    const fault = {
      code: 'rows_missing',
      severity: 'fault',
      count: 2,
      detail: '2 jobs have no row',
      ids: [],
    } satisfies Finding;

    it('says nothing, and how many jobs that means, when the books are clean', () => {
      expect(lossOf(audit({}))).to.deep.equal({
        tone: 'good',
        says: 'Nothing',
        because: 'All 12 jobs accounted for.',
      });
    });
    it('says how many, and the first fault that is found', () => {
      const lost = audit({ verdict: 'fault', unaccounted: 2, findings: [fault] });
      expect(lossOf(lost)).to.deep.equal({ tone: 'bad', says: '2 jobs', because: '2 jobs have no row' });
    });
    it('calls a fault bad that costs no job', () => {
      expect(
        lossOf(audit({ verdict: 'fault', findings: [{ ...fault, code: 'quarantined' }] })).tone,
      ).to.equal('bad');
    });
    it('claims nothing while it is not proven', () => {
      expect(lossOf(audit({ verdict: 'open' }))).to.include({
        tone: 'open',
        because: 'The broker is not empty.',
      });
    });
  });

  describe('when is the backlog gone?', () => {
    it('names the queue that will be empty last', () => {
      const queues = [
        queue('a', { waiting: 5, forecast: draining(2_000) }),
        queue('b', { waiting: 10, active: 1, forecast: draining(250_000) }),
      ];
      expect(forecastOf(queues)).to.deep.equal({
        tone: 'good',
        says: 'In 4 min 10 s',
        because: '16 jobs wait or run.',
      });
    });
    it('tells of a paused queue before one that grows, and of that before one that drains', () => {
      const grows = queue('a', { waiting: 5, forecast: forecast('growing') });
      const drains = queue('b', { waiting: 900, forecast: draining(9_000_000) });
      const paused = queue('c', { waiting: 1, isPaused: true, forecast: forecast('paused') });
      expect(forecastOf([drains, grows]).says).to.equal('Not at this pace');
      expect(forecastOf([drains, grows, paused]).says).to.equal('Not while paused');
    });
    it('counts what is there for later when nothing waits', () => {
      expect(forecastOf([queue('a', { scheduled: 1 })])).to.include({
        says: 'There is none',
        because: 'Nothing waits; 1 for later.',
      });
    });
  });

  describe('what limits us?', () => {
    it('is nothing when no job waits, whoever is paused', () => {
      expect(limitOf([queue('a', { isPaused: true })]).says).to.equal('Nothing');
    });
    it('is a pause, then the lack of a worker, then their number, then their pace', () => {
      const flow = { waiting: 8, active: 2, acceptedPerSecond: 9, drainedPerSecond: 4 };
      const paused = queue('p', { waiting: 8, isPaused: true, forecast: forecast('paused') });
      const deserted = queue('d', { waiting: 8, consumers: 0, forecast: forecast('idle') });
      const growing = queue('g', { ...flow, forecast: forecast('growing') });
      const slow = queue('s', { ...flow, acceptedPerSecond: 1, forecast: draining(9_000) });
      expect(limitOf([slow]).says).to.equal('The pace of the workers');
      expect(limitOf([slow, growing])).to.deep.equal({
        tone: 'watch',
        says: 'Too few workers',
        because: 'g: 9/s in, 4/s out, 2 running. Raise its concurrency, or add workers.',
      });
      expect(limitOf([slow, growing, deserted]).says).to.equal('No worker for d');
      expect(limitOf([slow, growing, deserted, paused]).says).to.equal('p is paused');
    });
  });

  describe('what failed?', () => {
    const example = { id: 'x', type: 'http.push', queue: 'default', name: 'Error', message: 'answered 404' };
    const group = {
      group: 'g',
      count: 3,
      firstAt: '2026-01-02T03:00:00Z',
      lastAt: '2026-01-02T03:04:00Z',
      example,
    };
    const nowMs = Date.parse('2026-01-02T03:05:00Z');

    it('tells the error that most have died of', () => {
      expect(failureOf({ total: 4, groups: [group, { ...group, count: 1 }] }, nowMs)).to.deep.equal({
        tone: 'bad',
        says: '4 dead jobs',
        because: '3 of http.push: answered 404, and 1 other error',
      });
    });
    it('is calmer of what has been known for long', () => {
      expect(failureOf({ total: 3, groups: [group] }, nowMs + 3_600_000).tone).to.equal('watch');
      expect(failureOf({ total: 0, groups: [] }, nowMs).tone).to.equal('good');
    });
  });
});
