/** `email.send`: sends one mail over SMTP. */
import { domainToASCII } from 'node:url';
import addressparser from 'nodemailer/lib/addressparser';
import { DeadLetter, defineHandler, type Handler, Type } from '../src/handler/define.js';
import { Invalid } from '../src/job/errors.js';
import { smtpCall } from './outgoing.js';

export interface EmailSendSettings {
  /** `smtp://` or `smtps://user:password@host:port`; needed where the mail is sent from. */
  readonly smtpUrl?: string;
  /** The sender of every mail, `Name <address>` or an address alone. */
  readonly smtpFrom?: string;
}

interface Mail {
  /** One address, or one each; a display name may stand before it: `Name <address>`. */
  readonly to: string | readonly string[];
  readonly subject: string;
  readonly text?: string;
  readonly html?: string;
}

interface Sent {
  readonly messageId: string;
  readonly accepted: readonly string[];
}

const MOST_RECIPIENTS = 100;
/** Idle connections hold the process open, so they are given up soon; within a burst they are used again. */
const IDLE_MS = 1_000;

/** Thrown, so retried: another worker may have them, as with a type that one worker does not know. */
const notHere = 'this worker lacks SMTP_URL or SMTP_FROM';

/** A line break inside a header would begin another header. */
const oneLine = '^[^\\x00-\\x1f\\x7f\\u2028\\u2029]*$';
const Address = Type.String({
  pattern: '^[^\\x00-\\x1f\\x7f\\u2028\\u2029]*[^\\x00-\\x20\\x7f]@[^\\x00-\\x20\\x7f]+>?$',
  maxLength: 512,
  description: 'one mail address, such as ada@example.com or Ada <ada@example.com>',
});

const MailPayload = Type.Object(
  {
    to: Type.Union([Address, Type.Array(Address, { minItems: 1, maxItems: MOST_RECIPIENTS })]),
    subject: Type.String({ pattern: oneLine, maxLength: 998, description: 'a single line' }),
    text: Type.Optional(Type.String()),
    html: Type.Optional(Type.String()),
  },
  { additionalProperties: false, anyOf: [{ required: ['text'] }, { required: ['html'] }] },
);

/**
 * With neither setting the type is known but takes no payload: the 422 says what to set, and nothing is accepted that could
 * only fail. A process that only takes jobs in needs no password: SMTP_FROM alone lets it accept mails for its workers.
 * @throws Invalid  SMTP_URL or SMTP_FROM is malformed
 */
export function createEmailSend(settings: EmailSendSettings): Handler<Mail, Sent> {
  const smtpUrl = settings.smtpUrl === undefined ? undefined : checkedUrl(settings.smtpUrl);
  const from = settings.smtpFrom === undefined ? undefined : checkedFrom(settings.smtpFrom);
  if (smtpUrl === undefined && from === undefined) return switchedOff();
  const transport = once(createMailer);

  return defineHandler<Mail, Sent>({
    type: 'email.send',
    payload: MailPayload,
    async run(job, { signal }) {
      signal.throwIfAborted();
      const { to, subject, text, html } = job.payload;
      if (smtpUrl === undefined || from === undefined) throw new Error(notHere);
      const messageId = `<${job.id}@${domainOf(from)}>`;
      try {
        const mailer = await transport(smtpUrl);
        signal.throwIfAborted();
        const mail = {
          from: settings.smtpFrom,
          to: (typeof to === 'string' ? [to] : to).map(oneAddress),
          subject,
          // The same for every attempt, so that a mail sent twice can be seen to be one.
          messageId,
          signal,
          ...(text === undefined ? {} : { text }),
          ...(html === undefined ? {} : { html }),
        };
        const info = await smtpCall(smtpUrl, () => mailer.sendMail(mail));
        return { messageId, ...allAccepted(info) };
      } catch (error) {
        signal.throwIfAborted();
        throw isPermanent(error) ? new DeadLetter(error.message, { cause: error }) : error;
      }
    },
  });
}

function domainOf(address: string): string {
  return domainToASCII(address.slice(address.lastIndexOf('@') + 1)) || 'sluice.invalid';
}

function switchedOff(): Handler<Mail, Sent> {
  return defineHandler<Mail, Sent>({
    type: 'email.send',
    payload: {
      not: {},
      description: 'email.send is switched off: set SMTP_FROM, and SMTP_URL where workers run',
    },
    run() {
      throw new Error(notHere);
    },
  });
}

/** Loaded with the first mail: most processes never send one. */
async function createMailer(url: string) {
  const { createTransport } = await import('nodemailer');
  return createTransport({
    pool: true,
    url,
    idleTimeout: IDLE_MS,
    // Retrying is the job's business; one more go covers a connection that the server had closed while idle.
    maxRequeues: 1,
    // A payload is text: never a path or an address to fetch from.
    disableFileAccess: true,
    disableUrlAccess: true,
  });
}

/** The list that `addressparser` makes of `a@x, b@y` would reach more people than the job names. */
function oneAddress(text: string): { name: string; address: string } {
  const [first, ...others] = addressparser(text);
  if (first?.address === undefined || others.length > 0 || !/^[^\s@]+@[^\s@]+$/.test(first.address)) {
    throw new DeadLetter("'to' must hold one mail address, or an array of them");
  }
  return { name: first.name, address: first.address };
}

/**
 * A mail that reached some of its recipients cannot be retried without reaching them twice; so it goes to the dead letters,
 * which say who is left out.
 */
function allAccepted(info: {
  accepted: readonly unknown[];
  rejectedErrors?: readonly Refusal[] | undefined;
}): { accepted: string[] } {
  const refusals = info.rejectedErrors ?? [];
  if (refusals.length > 0) {
    const told = refusals
      .map(({ recipient, response, message }) => `${recipient} (${response ?? message})`)
      .join(', ');
    throw new DeadLetter(`sent to ${info.accepted.length}, refused for ${refusals.length}: ${told}`);
  }
  return { accepted: info.accepted.map(String) };
}

type Refusal = Error & { readonly recipient?: string | undefined; readonly response?: string | undefined };

/**
 * RFC 5321, section 4.2.1: 5yz will be answered again. Only of this mail, though: a 5yz to the login or to the sender is about
 * our account (552, too large, excepted), and may be mended before the attempts are used up.
 */
function isPermanent(error: unknown): error is Error {
  if (!(error instanceof Error) || !('responseCode' in error) || !('command' in error)) return false;
  const code = Number(error.responseCode);
  if (code === 552) return true;
  return (
    code >= 500 && code < 600 && code !== 503 && (error.command === 'RCPT TO' || error.command === 'DATA')
  );
}

function checkedUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isUsable =
    url !== undefined &&
    ['smtp:', 'smtps:'].includes(url.protocol) &&
    url.hostname !== '' &&
    isDecodable(url.username + url.password);
  if (isUsable) return text;
  // Not echoed: it holds a password.
  throw new Invalid(
    'invalid_setting',
    'SMTP_URL must be smtp://host:port or smtps://user:password@host:port, special characters percent-encoded',
  );
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

/** The bare address. */
function checkedFrom(text: string): string {
  if (new RegExp(oneLine).test(text)) {
    const [first, ...others] = addressparser(text);
    const address = first?.address ?? '';
    if (others.length === 0 && /^[^\s@]+@[^\s@]+$/.test(address)) return address;
  }
  throw new Invalid(
    'invalid_setting',
    `SMTP_FROM must be one mail address, such as Sluice <jobs@example.com>, and is ${JSON.stringify(text)}`,
  );
}

function once<Input, Made>(make: (input: Input) => Made): (input: Input) => Made {
  let made: Made | undefined;
  return (input) => {
    made ??= make(input);
    return made;
  };
}
