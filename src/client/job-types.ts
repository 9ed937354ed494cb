/** Which types of jobs there are, what each takes and what it gives: read off the handlers, or written down by hand. Types alone. */

/** What one type of job takes and gives. */
export interface JobShape {
  readonly payload: unknown;
  readonly result: unknown;
}

/** Any type of job, with any payload: what a client knows that was told nothing. */
export type AnyJobs = Readonly<Record<string, JobShape>>;

/**
 * What is known of a client's jobs, by their types. `Known` is one of
 * - handlers: a list of them, a function that makes one, or the module that exports them, `typeof import('./my-handlers.js')`. Only
 *   those whose `type` is a literal are seen. A handler that was typed by hand, `defineHandler<Mail>({…})`, has lost it: give the rest by
 *   hand, too, `defineHandler<Mail, Sent, 'mail.send'>({…})`, or let it be inferred with `payload: Type.Unsafe<Mail>({…})`.
 * - the types themselves: `{ 'mail.send': { payload: Mail; result: Sent } }`.
 */
export type JobsOf<Known> = Known extends { readonly [Name in keyof Known]: JobShape }
  ? Known
  : JobsOfHandlers<HandlerIn<Known>>;

/** The names of the types. */
export type TypeIn<Jobs> = keyof Jobs & string;

export type PayloadOf<Jobs, Name extends keyof Jobs> = Jobs[Name] extends { readonly payload: infer Payload }
  ? Payload
  : never;

export type ResultOf<Jobs, Name extends keyof Jobs> = Jobs[Name] extends { readonly result: infer Result }
  ? Result
  : never;

/** A value as it arrives: a handler's result travels as JSON. */
export type AsJson<Value> = unknown extends Value
  ? Value
  : Value extends string | number | boolean | null
    ? Value
    : Value extends { toJSON(): infer Written }
      ? AsJson<Written>
      : Value extends NotJson
        ? undefined
        : Value extends readonly unknown[]
          ? { [Index in keyof Value]: AsJson<Value[Index]> }
          : { [Name in keyof Value as Value[Name] extends NotJson ? never : Name]: AsJson<Value[Name]> };

/** What JSON leaves out. */
type NotJson = undefined | symbol | bigint | ((...given: never) => unknown);

/** The part of a handler that says what its jobs are. */
interface HandlerLike {
  readonly type: string;
  run(job: never, context: never): unknown;
}

type JobsOfHandlers<Handlers> = {
  readonly [One in Handlers as One extends HandlerLike
    ? LiteralOf<One['type']>
    : never]: One extends HandlerLike
    ? { readonly payload: PayloadTaken<One>; readonly result: AsJson<Awaited<ReturnType<One['run']>>> }
    : never;
};

type LiteralOf<Name extends string> = string extends Name ? never : Name;

type PayloadTaken<One extends HandlerLike> = Parameters<One['run']>[0] extends {
  readonly payload: infer Payload;
}
  ? Payload
  : never;

/** As `HANDLERS` takes them: what is exported under any name, or the thing itself. */
type HandlerIn<Known> = [Made<Known>] extends [never]
  ? { [Name in keyof Known]: Made<Known[Name]> }[keyof Known]
  : Made<Known>;

type Made<Export> = Export extends (...given: never) => infer Out ? Listed<Awaited<Out>> : Listed<Export>;

type Listed<Export> = Export extends HandlerLike
  ? Export
  : Export extends readonly (infer One)[]
    ? Extract<One, HandlerLike>
    : never;
