/** The query parameters of the routes that read; every other route takes none. They come as text and are checked by hand. */
import { jobTypePattern, queueNamePattern } from '../job/job.js';
import { states } from '../job/state.js';
import { Type } from '../runtime/typebox.js';

/** Of `wait`, in seconds. */
export const longestWaitS = 60;
/** Of `limit`, and its default. */
export const mostListed = 200;
export const listed = 50;

const closed = { additionalProperties: false };

const names = {
  type: Type.Optional(Type.String({ pattern: jobTypePattern, description: 'Of this job type only.' })),
  queue: Type.Optional(Type.String({ pattern: queueNamePattern, description: 'Of this queue only.' })),
};
const limit = Type.Optional(
  Type.Integer({ minimum: 1, maximum: mostListed, default: listed, description: 'How many at most.' }),
);
const cursor = Type.Optional(
  Type.String({ minLength: 1, description: '`next` of the page before; with the same filters.' }),
);

/** `GET /v1/jobs/:id` */
export const JobQuery = Type.Object(
  {
    wait: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: longestWaitS,
        default: 0,
        description: 'Answers as soon as the job has ended, or after so many seconds with its present state.',
      }),
    ),
  },
  closed,
);

/** `GET /v1/jobs` */
export const JobsQuery = Type.Object(
  {
    state: Type.Optional(Type.Enum([...states], { description: 'In this state only.' })),
    ...names,
    limit,
    cursor,
  },
  closed,
);

/** `GET /v1/dead-letters` */
export const DeadLettersQuery = Type.Object(
  {
    group: Type.Optional(Type.String({ minLength: 1, description: 'Of this error fingerprint only.' })),
    ...names,
    limit,
    cursor,
  },
  closed,
);

/** `GET /v1/dead-letters/replays` */
export const RedrivesQuery = Type.Object({ limit }, closed);
