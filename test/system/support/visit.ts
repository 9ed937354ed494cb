/** A visit to the page in a real browser, which notes whatever goes wrong there. */

import axe from 'axe-core';
import { expect } from 'chai';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';

export interface Visit {
  readonly page: Page;
  /** Breaches of the content policy, errors that nobody caught, and errors in the console. */
  readonly faults: string[];
  /** Fails on serious and critical faults that axe finds in what is shown now, and where it is wider than the window. */
  isAccessible(): Promise<void>;
  close(): Promise<void>;
}

export const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true } as const;

const PATIENCE_MS = 8_000;

interface AxeFault {
  readonly id: string;
  readonly impact: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
}

export interface VisitOptions extends BrowserContextOptions {
  /** The page's time can be moved. */
  readonly hasClock?: boolean;
}

export async function visit(
  browser: Browser,
  url: string,
  { hasClock = false, ...options }: VisitOptions = {},
): Promise<Visit> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  // Before the test's own time is over, so that it can be said what was waited for.
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  if (hasClock) await page.clock.install();
  const faults: string[] = [];
  await page.addInitScript(
    "addEventListener('securitypolicyviolation', (event) => console.error('policy: ' + event.violatedDirective + ' ' + event.blockedURI))",
  );
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('console', (message) => {
    // The browser's own line for every answer that is no 2xx, and for a server that is gone.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
      faults.push(message.text());
  });
  await page.goto(url);
  return {
    page,
    faults,
    async isAccessible() {
      await page.evaluate(axe.source);
      const { violations } = (await page.evaluate("axe.run({ resultTypes: ['violations'] })")) as {
        violations: readonly AxeFault[];
      };
      const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
      const told = serious.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}: ${nodes[0]?.failureSummary}`);
      expect(told.join('\n')).to.equal('');
      const { width } = page.viewportSize() ?? { width: 0 };
      const content = await page.evaluate('document.scrollingElement.scrollWidth');
      expect(content, `width of ${page.url()}`).to.be.at.most(width);
    },
    close: () => context.close(),
  };
}
