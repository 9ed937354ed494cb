/** `/v1/dead-letters`: what has died, and replays and discards of many. */
import type Router from '@koa/router';
import type { ErrorObject } from 'ajv';
import type { TSchema } from 'typebox';
import { validate as isUuid } from 'uuid';
import { defaultRatePerSecond } from '../api/constants.js';
import {
  type DeadLetterFilter,
  type DeadLetterPage,
  DiscardRequest,
  type RedriveAccepted,
  type RedriveList,
  type RedriveView,
  ReplayRequest,
} from '../api/dead-letters.js';
import { DeadLettersQuery, RedrivesQuery } from '../api/queries.js';
import { Invalid } from '../job/errors.js';
import { jobTypePattern, queueNamePattern } from '../job/job.js';
import type { DeadLetters, Watched } from '../operations/dead-letters.js';
import type { Clock } from '../runtime/clock.js';
import type { DeadFilter, JobFilter } from '../store/store.js';
import { answer } from './answer.js';
import { type Bodies, requireMediaType } from './body.js';
import type { Answering, HttpContext, RequestState } from './context.js';
import { isoOf, listedOf } from './job-view.js';
import { parseJson } from './json.js';
import { withoutBody } from './optional-body.js';
import { Rejection } from './problem.js';
import { limitOf, parametersOf, type Query } from './reading.js';
import { traceContextOf } from './trace-context.js';
import { quickCheckOf } from './wire-schema.js';

export interface DeadLetterRoutes {
  readonly list: Answering;
  readonly replay: Answering;
  readonly discard: Answering;
  readonly views: Answering;
  readonly view: Answering;
  readonly stop: Answering;
}

export interface DeadLetterRoutesOptions {
  readonly deadLetters: DeadLetters;
  readonly bodies: Bodies;
  readonly clock: Clock;
}

export const deadLetterPaths = {
  list: '/v1/dead-letters',
  replay: '/v1/dead-letters/replay',
  discard: '/v1/dead-letters/discard',
  views: '/v1/dead-letters/replays',
  view: '/v1/dead-letters/replays/:id',
  stop: '/v1/dead-letters/replays/:id/stop',
} as const;

/** A thousand ids and the rest. */
const MOST_BYTES = 64 * 1024;

/** @param scoped  asks for the scope before the route runs */
export function addDeadLetterRoutes(
  router: Router<RequestState>,
  routes: DeadLetterRoutes,
  scoped: (scope: 'read' | 'operate', route: Answering) => Answering,
): void {
  router.get(deadLetterPaths.list, scoped('read', routes.list));
  router.post(deadLetterPaths.replay, scoped('operate', routes.replay));
  router.post(deadLetterPaths.discard, scoped('operate', routes.discard));
  router.get(deadLetterPaths.views, scoped('read', routes.views));
  router.get(deadLetterPaths.view, scoped('read', routes.view));
  router.post(deadLetterPaths.stop, scoped('operate', routes.stop));
}

export function createDeadLetterRoutes(options: DeadLetterRoutesOptions): DeadLetterRoutes {
  const { deadLetters, bodies, clock } = options;
  const replayRequest = reader<ReplayRequest>(ReplayRequest);
  const discardRequest = reader<DiscardRequest>(DiscardRequest);

  function reader<Body>(schema: TSchema): (context: HttpContext) => Promise<Body> {
    const fits = quickCheckOf<Body>(schema);
    return async (context) => {
      parametersOf(context);
      const { req, res } = context;
      requireMediaType(req, ['application/json']);
      const bytes = await bodies.read(req, res, MOST_BYTES);
      try {
        const { value } = parseJson(bytes);
        if (fits(value)) return value;
        throw new Rejection('invalid_job', faultOf(fits.errors?.[0], schema));
      } finally {
        bodies.release(bytes);
      }
    };
  }

  async function accept(context: HttpContext, order: StartOrder): Promise<void> {
    const { id, matched } = await deadLetters.start(order);
    const self = `/v1/dead-letters/replays/${id}`;
    const links = id === null ? {} : { links: { self, stop: `${self}/stop` } };
    const body: RedriveAccepted = { id, matched, ...links };
    answer(context, 202, JSON.stringify(body), id === null ? {} : { Location: self });
  }

  return {
    async list(context) {
      const parameters = parametersOf(context, DeadLettersQuery);
      const cursor = parameters.get('cursor');
      const page = { limit: limitOf(parameters), ...(cursor === undefined ? {} : { cursor }) };
      const found = await deadLetters.list(filterOfQuery(parameters), page).catch((error: unknown) => {
        if (error instanceof Invalid) throw new Rejection('invalid_request', error.message, { cause: error });
        throw error;
      });
      const body: DeadLetterPage = {
        total: found.total,
        groups: found.groups.map(({ group, count, firstAtMs, lastAtMs, example }) => {
          return { group, count, firstAt: isoOf(firstAtMs), lastAt: isoOf(lastAtMs), example };
        }),
        items: found.items.map((row) => listedOf(row, clock.now())),
        next: found.next ?? null,
      };
      answer(context, 200, JSON.stringify(body));
    },
    async replay(context) {
      const { filter, ratePerSecond = defaultRatePerSecond, dryRun = false } = await replayRequest(context);
      const traceparent = context.state.span?.traceparent ?? traceContextOf(context.req.headers).traceparent;
      await accept(context, { kind: 'replay', filter: filterOf(filter), ratePerSecond, dryRun, traceparent });
    },
    async discard(context) {
      const { filter, dryRun = false } = await discardRequest(context);
      await accept(context, { kind: 'discard', filter: filterOf(filter), dryRun });
    },
    async views(context) {
      const found = await deadLetters.views(limitOf(parametersOf(context, RedrivesQuery)));
      const body: RedriveList = { replays: found.map(viewOf) };
      answer(context, 200, JSON.stringify(body));
    },
    async view(context) {
      const id = idOf(context);
      parametersOf(context);
      const found = await deadLetters.view(id);
      if (found === undefined) throw unknown();
      answer(context, 200, JSON.stringify(viewOf(found)));
    },
    async stop(context) {
      const id = idOf(context);
      parametersOf(context);
      await withoutBody(context, bodies);
      const found = await deadLetters.stop(id);
      if (found === undefined) throw unknown();
      const { state, kind } = found;
      if (state !== 'stopped')
        throw new Rejection('conflict', `the ${kind} is ${state} already, so there is nothing to stop`, {
          extra: { state },
        });
      answer(context, 202, JSON.stringify(viewOf(found)));
    },
  };
}

type StartOrder = Parameters<DeadLetters['start']>[0];

function idOf(context: HttpContext): string {
  const id = String((context as { params?: Record<string, string> }).params?.['id']).toLowerCase();
  if (isUuid(id)) return id;
  throw unknown();
}

function unknown(): Rejection {
  return new Rejection(
    'not_found',
    'there is no such replay or discard, or it ended long ago; GET /v1/dead-letters/replays lists them',
  );
}

function filterOfQuery(query: Query): Omit<JobFilter, 'state'> {
  const type = query.get('type');
  if (type !== undefined && !new RegExp(jobTypePattern).test(type))
    throw new Rejection('invalid_request', "'type' is no job type");
  const queue = query.get('queue');
  if (queue !== undefined && !new RegExp(queueNamePattern).test(queue))
    throw new Rejection('invalid_request', "'queue' is no queue name");
  const group = query.get('group');
  return {
    ...(group === undefined ? {} : { group }),
    ...(type === undefined ? {} : { type }),
    ...(queue === undefined ? {} : { queue }),
  };
}

function filterOf({ ids, before, ...rest }: DeadLetterFilter): DeadFilter {
  const beforeMs = before === undefined ? undefined : Date.parse(before);
  if (Number.isNaN(beforeMs)) throw new Rejection('invalid_job', "'filter.before' is no time that there is");
  return {
    ...rest,
    ...(ids === undefined ? {} : { ids: [...new Set(ids.map((id) => id.toLowerCase()))] }),
    ...(beforeMs === undefined ? {} : { diedBeforeMs: beforeMs }),
  };
}

function viewOf(redrive: Watched): RedriveView {
  const { diedBeforeMs, ids, ...filter } = redrive.filter;
  return {
    id: redrive.id,
    kind: redrive.kind,
    state: redrive.state,
    reason: redrive.reason,
    filter: {
      ...filter,
      ...(ids === undefined ? {} : { ids: [...ids] }),
      ...(diedBeforeMs === undefined ? {} : { before: isoOf(diedBeforeMs) }),
    },
    ratePerSecond: redrive.ratePerSecond,
    matched: redrive.matched,
    done: redrive.done,
    skipped: redrive.skipped,
    failedAgain: redrive.failedAgain,
    createdAt: isoOf(redrive.createdAtMs),
    updatedAt: isoOf(redrive.updatedAtMs),
    endedAt: redrive.endedAtMs === null ? null : isoOf(redrive.endedAtMs),
  };
}

const filterFields = 'ids, group, type, queue, before';

/** What to do about the first fault that was found. */
function faultOf(error: ErrorObject | undefined, schema: TSchema): string {
  const where = (error?.instancePath ?? '').slice(1).replaceAll('/', '.');
  const fields = Object.keys((schema as { properties?: object }).properties ?? {}).join(', ');
  switch (error?.keyword) {
    case 'additionalProperties': {
      const field = String(error.params['additionalProperty']).slice(0, 64);
      const known = where === 'filter' ? filterFields : fields;
      return `unknown field '${field}'${where === '' ? '' : ` in '${where}'`}, known are ${known}`;
    }
    case 'required':
      return `send a 'filter' of ${filterFields}; {} means all dead jobs`;
    default:
      return where === ''
        ? `send a JSON object with the fields ${fields}`
        : `'${where}' ${error?.message ?? 'does not fit'}`;
  }
}
