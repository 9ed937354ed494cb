/** Addresses of other servers. Faults name the place and the reason, never a part that could hold a password. */
import type { Kind, Parsed } from './kinds.js';
import { Secret } from './secret.js';

/** Query parameters that the AMQP client understands; others would be ignored in silence. */
const amqpParameters = new Set(['heartbeat', 'channelMax', 'frameMax', 'maxFrameSize', 'locale']);

/**
 * One or more brokers of a cluster: full URLs between commas, or several hosts in one URL
 * (`amqp://user:pass@a:5672,b:5672/vhost`). One Secret per host, each a full URL.
 */
export const amqpUrls: Kind<readonly Secret[]> = {
  expects:
    '`amqp://user:password@host:5672/vhost` or `amqps://…`; several hosts between commas; special characters percent-encoded',
  parse(text) {
    const urls: Secret[] = [];
    for (const [index, part] of text
      .trim()
      .split(/,(?=\s*amqps?:\/\/)/i)
      .entries()) {
      const expanded = expandHosts(part.trim());
      if ('fault' in expanded) return { fault: `URL ${index + 1}: ${expanded.fault}` };
      for (const url of expanded.value) {
        const fault = faultOfAmqpUrl(url);
        if (fault !== undefined) return { fault: `URL ${index + 1}: ${fault}` };
        urls.push(new Secret(url));
      }
    }
    return { value: urls };
  },
};

/** `scheme://a,b/path` -> `scheme://a/path`, `scheme://b/path`. */
function expandHosts(url: string): Parsed<readonly string[]> {
  const match = /^(amqps?):\/\/(?:([^@/?#]*)@)?([^@/?#]*)(\/[^?#]*)?(\?[^#]*)?$/i.exec(url);
  if (match === null) {
    if (!/^amqps?:\/\//i.test(url)) return { fault: 'it must begin with amqp:// or amqps://' };
    return { fault: 'it cannot be read; percent-encode @ / ? # and , in the user name and password' };
  }
  const [, scheme = '', user, hosts = '', path = '', query = ''] = match;
  const credentials = user === undefined ? '' : `${user}@`;
  return {
    value: hosts
      .split(',')
      .map((host) => `${scheme.toLowerCase()}://${credentials}${host.trim()}${path}${query}`),
  };
}

function faultOfAmqpUrl(text: string): string | undefined {
  if (!URL.canParse(text)) return 'the host or port is not valid';
  const url = new URL(text);
  if (url.hostname === '') return 'a host is missing';
  if (url.port === '0') return 'the port must be 1 to 65535';
  if (!isDecodable(url.username) || !isDecodable(url.password)) {
    return 'the user name or password holds a % that is no percent-encoding; write %25';
  }
  if (!isDecodable(url.pathname)) return 'the vhost holds a % that is no percent-encoding; write %25';
  if (url.pathname.slice(1).includes('/')) return 'a slash within the vhost is written %2F';
  for (const [key, value] of url.searchParams) {
    if (!amqpParameters.has(key))
      return `a parameter is unknown; known are ${[...amqpParameters].join(', ')}`;
    if (key !== 'locale' && !/^[1-9]\d{0,8}$/.test(value)) return `${key} must be a whole number from 1`;
  }
  return undefined;
}

export const smtpUrl: Kind<Secret> = {
  expects: '`smtp://user:password@host:587` or `smtps://…`, special characters percent-encoded',
  parse(text) {
    if (!/^smtps?:\/\//i.test(text)) return { fault: 'it must begin with smtp:// or smtps://' };
    if (!URL.canParse(text))
      return { fault: 'it cannot be read; percent-encode @ / ? and # in the user name and password' };
    const url = new URL(text);
    if (url.hostname === '') return { fault: 'the host is missing' };
    if (url.port === '0') return { fault: 'the port must be 1 to 65535' };
    if (!isDecodable(url.username) || !isDecodable(url.password)) {
      return { fault: 'the user name or password holds a % that is no percent-encoding; write %25' };
    }
    return { value: new Secret(text) };
  },
};

export const postgresUrl: Kind<Secret> = {
  expects: '`postgres://user:password@host:5432/database`, special characters percent-encoded',
  parse(text) {
    if (!/^postgres(ql)?:\/\//i.test(text))
      return { fault: 'it must begin with postgres:// or postgresql://' };
    if (!URL.canParse(text))
      return { fault: 'it cannot be read; percent-encode @ / ? and # in the user name and password' };
    const url = new URL(text);
    // A Unix socket is named by the parameter `host`.
    if (url.hostname === '' && !url.searchParams.has('host')) return { fault: 'the host is missing' };
    if (url.port === '0') return { fault: 'the port must be 1 to 65535' };
    if (![url.username, url.password, url.pathname].every(isDecodable))
      return { fault: 'a part holds a % that is no percent-encoding; write %25' };
    if (!/^\/[^/]+$/.test(url.pathname))
      return { fault: 'the name of the database is missing after the host' };
    return { value: new Secret(text) };
  },
};

/** The address under which a server's routes stand, without a slash at the end. */
export const serverUrl: Kind<string> = {
  expects: 'the address of a Sluice server, such as `http://127.0.0.1:8080`',
  parse(text) {
    if (!/^https?:\/\//i.test(text)) return { fault: 'it must begin with http:// or https://' };
    if (!URL.canParse(text)) return { fault: 'it cannot be read' };
    const url = new URL(text);
    if (url.username !== '' || url.password !== '')
      return { fault: 'a key goes into --api-key, not into the address' };
    if (url.search !== '' || url.hash !== '') return { fault: 'no ? or # belongs into it' };
    return { value: url.href.replace(/\/+$/, '') };
  },
};

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}
