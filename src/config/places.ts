/** Where the jobs of an engine lie, as an argument of a command names it. */
import type { Kind } from './kinds.js';
import type { Secret } from './secret.js';
import { amqpUrls } from './urls.js';

export type Place =
  /** `folder` undefined: that of DATA_DIR. */
  | { readonly kind: 'embedded'; readonly folder: string | undefined }
  /** `urls` undefined: those of AMQP_URL. */
  | { readonly kind: 'rabbitmq'; readonly urls: readonly Secret[] | undefined };

export const place: Kind<Place> = {
  expects:
    '`embedded:FOLDER` or a path such as `./data`, `amqp://user:password@host:5672/vhost` or `amqps://…`, `embedded` for DATA_DIR, or `amqp` for AMQP_URL',
  parse(text) {
    if (text === 'embedded') return { value: { kind: 'embedded', folder: undefined } };
    if (text === 'amqp') return { value: { kind: 'rabbitmq', urls: undefined } };
    if (/^amqps?:\/\//i.test(text)) {
      const urls = amqpUrls.parse(text);
      return 'fault' in urls ? urls : { value: { kind: 'rabbitmq', urls: urls.value } };
    }
    const folder = text.replace(/^embedded:/, '');
    if (folder === '' || folder.includes('\0')) return { fault: 'a folder is missing' };
    // A mistyped scheme must not become a folder, with a password in its name.
    if (/^[a-z][a-z0-9+.-]*:/i.test(folder)) return { fault: 'it names neither of the two engines' };
    return { value: { kind: 'embedded', folder } };
  },
};
