import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { loadClientConfig, loadConfig } from '../../src/config.js';
import { onlyFault, password } from './faults.js';
import { useSettingsFolder } from './settings-folder.js';

describe('settings', () => {
  const { folder, file } = useSettingsFolder();

  describe('as files', () => {
    it('give a secret without the newline at its end', () => {
      for (const end of ['', '\n', '\r\n']) {
        const path = file('amqp', `amqp://me:${password}@rabbit${end}`);
        expect(loadConfig({ AMQP_URL_FILE: path }, 'start').amqpUrls?.[0]?.reveal()).to.equal(
          `amqp://me:${password}@rabbit`,
        );
      }
      expect(loadClientConfig({ SLUICE_API_KEY_FILE: file('key', 'abc\n') }).apiKey?.reveal()).to.equal(
        'abc',
      );
    });

    it('are a fault beside the value itself', () => {
      const fault = onlyFault({ AMQP_URL: 'amqp://rabbit', AMQP_URL_FILE: file('amqp', 'amqp://rabbit') });
      expect(fault).to.include('AMQP_URL and AMQP_URL_FILE are both set');
    });

    it('that cannot be read name file and reason', () => {
      mkdirSync(join(folder(), 'd'), { recursive: true });
      const cases = [
        [join(folder(), 'none'), 'ENOENT: no such file or directory'],
        [join(folder(), 'd'), 'EISDIR'],
        [file('empty', '\n'), 'is empty'],
        [file('binary', Buffer.from([0xff, 0xfe, 0xfd])), 'is not UTF-8 text'],
        [file('long', 'x'.repeat(65_537)), 'is longer than 65536 bytes'],
        ['/dev/zero', 'is longer than 65536 bytes'],
      ] as const;
      for (const [path, reason] of cases) {
        expect(onlyFault({ SMTP_URL_FILE: path }))
          .to.include(`SMTP_URL_FILE=${JSON.stringify(path)}`)
          .and.to.include(reason);
      }
    });

    it('hold values that are checked like any other, and shown as little', () => {
      const fault = onlyFault({ AMQP_URL_FILE: file('amqp', `ftp://me:${password}@rabbit`) });
      expect(fault).to.match(/^AMQP_URL_FILE \(a secret, not shown\): URL 1: it must begin with amqp/);
      expect(fault).not.to.include(password);
    });

    it('do not show a secret that was put where its path belongs', () => {
      const fault = onlyFault({ AMQP_URL_FILE: `amqp://me:${password}@rabbit` });
      expect(fault)
        .to.include('AMQP_URL_FILE')
        .and.to.include('looks like the secret itself')
        .and.not.to.include(password);
    });

    it('are for secrets only', () => {
      expect(loadConfig({ PORT_FILE: '/nowhere' }, 'start').port).to.equal(8080);
    });
  });
});
