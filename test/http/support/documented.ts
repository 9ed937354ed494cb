/** Whether live answers are as the OpenAPI document says. */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { expect } from 'chai';

export interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, OperationObject>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
}

export interface OperationObject {
  readonly operationId: string;
  readonly summary: string;
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
  readonly parameters: readonly {
    readonly name: string;
    readonly in: string;
    readonly schema: {
      readonly minimum?: number;
      readonly maximum?: number;
      readonly enum?: readonly string[];
    };
  }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, Content>> };
  readonly responses: Readonly<Record<string, ResponseObject>>;
}

interface Content {
  readonly schema: object;
  readonly example?: unknown;
  readonly examples?: Readonly<Record<string, { readonly value: unknown }>>;
}

interface ResponseObject {
  readonly headers: Readonly<Record<string, { readonly required: boolean; readonly schema: object }>>;
  readonly content: Readonly<Record<string, Content>>;
}

export interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

export interface Documented {
  readonly document: OpenApi;
  readonly operations: readonly {
    readonly method: string;
    readonly path: string;
    readonly operation: OperationObject;
  }[];
  /** Fails unless the value fits a schema of the document. */
  expectFits(schema: object, value: unknown, what: string): void;
  /**
   * Fails unless the answer is one that the document tells of. Refusals of paths and methods that a server does not have need only be problems.
   * Returns what it is the answer of; undefined: of nothing in the document.
   */
  expectAnswer(method: string, url: string, answered: Answered): string | undefined;
}

/** The codes that a response of the document can have. */
export function codesOf(response: ResponseObject | undefined): readonly string[] {
  const schema = response?.content['application/problem+json']?.schema as
    | { allOf: readonly { properties?: { code: { enum: readonly string[] } } }[] }
    | undefined;
  return schema?.allOf.flatMap(({ properties }) => properties?.code.enum ?? []) ?? [];
}

export function createDocumented(document: OpenApi): Documented {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  addFormats.default(ajv);
  // Once for all: each response refers to it.
  ajv.addSchema({ components: document.components }, 'document');
  const compiled = new Map<object, ValidateFunction>();
  const operations = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ method, path, operation })),
  );

  function expectFits(schema: object, value: unknown, what: string): void {
    const fits = compiled.get(schema) ?? ajv.compile(referringTo('document', schema));
    compiled.set(schema, fits);
    expect(fits(value), `${what}: ${ajv.errorsText(fits.errors)} in ${JSON.stringify(value)}`).to.equal(true);
  }

  function find(method: string, url: string): OperationObject | undefined {
    const path = url.split('?')[0] ?? '';
    const asked = method === 'HEAD' ? 'get' : method.toLowerCase();
    const item =
      document.paths[path] ??
      Object.entries(document.paths).find(([template]) => {
        return new RegExp(`^${template.replace(/\{\w+\}/g, '[^/]+')}$`).test(path);
      })?.[1];
    return item?.[asked];
  }

  return {
    document,
    operations,
    expectFits,
    expectAnswer(method, url, { status, headers, text }) {
      const operation = find(method, url);
      const type = String(headers['content-type']).split(';')[0] ?? '';
      const isNowhere = status === 405 || (status === 404 && text.includes('there is nothing at this path'));
      if (operation === undefined || isNowhere) {
        if (type === 'application/problem+json' && text !== '')
          expectFits({ $ref: '#/components/schemas/Problem' }, JSON.parse(text), `${method} ${url}`);
        return undefined;
      }
      const what = `${operation.operationId} ${status}`;
      if (status === 304) return operation.operationId;
      const response = operation.responses[status];
      if (response === undefined) throw new Error(`${what} is not in the document: ${text}`);
      for (const [name, header] of Object.entries(response.headers)) {
        const value = headers[name.toLowerCase()];
        if (value === undefined) expect(header.required, `${what}: ${name} is missing`).to.equal(false);
        else expectFits(header.schema, value, `${what}: ${name}`);
      }
      const content = response.content[type];
      if (content === undefined) throw new Error(`${what} is not documented as ${type}`);
      if (method !== 'HEAD') expectFits(content.schema, /json$/.test(type) ? JSON.parse(text) : text, what);
      return operation.operationId;
    },
  };
}

function referringTo(name: string, schema: object): object {
  return JSON.parse(JSON.stringify(schema).replaceAll('"$ref":"#', `"$ref":"${name}#`));
}
