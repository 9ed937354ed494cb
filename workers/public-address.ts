/** Which addresses a job may reach: the guard that keeps `http.push` out of the network it runs in. */
import type { LookupAddress } from 'node:dns';
import { lookup as systemLookup } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';
import { buildConnector } from 'undici';
import { DeadLetter } from '../src/handler/define.js';

/** Azure answers with a machine's metadata at this address, which is public by its number. */
const metadataAddresses = new Set(['168.63.129.16']);

/** RFC 4291, section 2.4: all global unicast addresses given out so far. */
const globalUnicast = ipaddr.parseCIDR('2000::/3');

/**
 * Whether an IP address is one of the public internet. Everything else is not: loopback, private, link-local, shared (CGNAT),
 * multicast, unspecified and reserved ranges, cloud metadata, and IPv6 forms that carry an IPv4 address inside (mapped, NAT64,
 * 6to4, Teredo, ISATAP), because what they lead to is decided elsewhere. Text that is no address is not public either.
 */
export function isPublicAddress(address: string): boolean {
  // isIP takes the one canonical way to write an address; ipaddr.js would take `0177.1` too.
  if (isIP(address) === 0) return false;
  const parsed = ipaddr.parse(address);
  if (parsed.range() !== 'unicast') return false;
  if (parsed instanceof ipaddr.IPv4) return !metadataAddresses.has(parsed.toString());
  return parsed.match(globalUnicast) && !isIsatap(parsed);
}

/** RFC 5214, section 6.1: the interface identifier ends in 5efe and an IPv4 address. */
function isIsatap(address: { readonly parts: number[] }): boolean {
  return address.parts[5] === 0x5efe && ((address.parts[4] ?? 0) & ~0x0200) === 0;
}

/**
 * Connects for undici, to public addresses alone. The decision falls on what DNS has just answered and the socket is then
 * opened to, so a name that answers differently the next time (rebinding) gains nothing. Literal addresses are never looked
 * up, therefore they are checked first; what the socket in the end is connected to, last.
 */
export function createPublicConnector(lookup: LookupFunction = systemLookup): buildConnector.connector {
  const connect = buildConnector({ lookup: publicOnly(lookup) });
  return (target, callback) => {
    const host = target.hostname.replace(/^\[|\]$/g, '');
    if (isIP(host) !== 0 && !isPublicAddress(host)) {
      callback(notPublic(host), null);
      return;
    }
    connect(target, (...[error, socket]) => {
      if (error !== null) {
        callback(error, null);
      } else if (isPublicAddress(socket.remoteAddress ?? '')) {
        callback(null, socket);
      } else {
        socket.destroy();
        callback(notPublic(host), null);
      }
    });
  };
}

/** A name resolution that leaves out every address that is not public, and fails when none is left. */
export function publicOnly(lookup: LookupFunction): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, found) => {
      if (error !== null) {
        callback(error, '', 0);
        return;
      }
      const addresses: readonly LookupAddress[] = Array.isArray(found)
        ? found
        : [{ address: found, family: isIP(found) }];
      const allowed = addresses.filter(({ address }) => isPublicAddress(address));
      const [first] = allowed;
      if (first === undefined) callback(notPublic(hostname), '', 0);
      else if (options.all === true) callback(null, allowed);
      else callback(null, first.address, first.family);
    });
  };
}

function notPublic(host: string): DeadLetter {
  return new DeadLetter(
    `${host} is not, or has no, public address, and http.push calls no others: set HTTP_PUSH_ALLOW_PRIVATE=true if it is meant to`,
  );
}
