/** The handlers shipped with Sluice, made from the settings they need. */
import type { AnyHandler } from '../src/handler/define.js';
import { echo } from './echo.js';
import { createEmailSend } from './email-send.js';
import { createHttpPush } from './http-push.js';
import { sleep } from './sleep.js';

export interface HandlerSettings {
  readonly smtpUrl?: string;
  readonly smtpFrom?: string;
  readonly httpPushSecret?: string;
  readonly httpPushAllowPrivate: boolean;
  readonly retryMaxMs: number;
}

/** @throws Invalid  a setting that a handler cannot work with */
export function handlers(settings: HandlerSettings): readonly AnyHandler[] {
  const { smtpUrl, smtpFrom, httpPushSecret, httpPushAllowPrivate, retryMaxMs } = settings;
  return [
    echo,
    sleep,
    createHttpPush({
      allowPrivate: httpPushAllowPrivate,
      retryMaxMs,
      ...(httpPushSecret === undefined ? {} : { secret: httpPushSecret }),
    }),
    createEmailSend({
      ...(smtpUrl === undefined ? {} : { smtpUrl }),
      ...(smtpFrom === undefined ? {} : { smtpFrom }),
    }),
  ];
}
