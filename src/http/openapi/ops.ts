/** The routes that are open without a key, described. */
import { Live, NotReady, Ready } from '../../api/health.js';
import type { Operation } from './operation.js';

const text = { type: 'string' };

export const openOperations: readonly Operation[] = [
  {
    id: 'getLive',
    method: 'get',
    path: '/livez',
    tag: 'Operations',
    summary: 'Does the process answer?',
    answer: { status: 200, description: 'It does.', schema: Live },
    errors: ['invalid_request'],
  },
  {
    id: 'getReady',
    method: 'get',
    path: '/readyz',
    tag: 'Operations',
    summary: 'Can it do its work?',
    answer: { status: 200, description: 'Traffic can be sent here.', schema: Ready },
    errors: ['invalid_request', 'broker_unavailable', 'shutting_down'],
    refusals: { 503: NotReady },
  },
  {
    id: 'getMetrics',
    method: 'get',
    path: '/metrics',
    tag: 'Operations',
    summary: 'Metrics for Prometheus',
    answer: { status: 200, description: 'In the text format.', type: 'text/plain', schema: text },
    errors: ['invalid_request', 'internal_error'],
  },
  {
    id: 'getOpenApi',
    method: 'get',
    path: '/openapi.json',
    tag: 'Operations',
    summary: 'This document',
    answer: {
      status: 200,
      description: 'OpenAPI 3.1.',
      schema: { type: 'object' },
      headers: { ETag: 'always' },
    },
    errors: ['invalid_request'],
  },
  {
    id: 'getDocs',
    method: 'get',
    path: '/docs',
    tag: 'Operations',
    summary: 'This document as a page',
    answer: {
      status: 200,
      description: 'For a browser; nothing is loaded from elsewhere.',
      type: 'text/html',
      schema: text,
      headers: { ETag: 'always' },
    },
    errors: ['invalid_request'],
  },
];
