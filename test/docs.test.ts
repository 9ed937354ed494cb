/** The README tells the truth: its tables are those of the code and of the last bench. */
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { faultsOfReadme, readmePath, tables, withTables } from './docs-tables.js';
import { chart } from './load/chart.js';
import { readResults } from './load/results.js';

const right = withTables(
  '# A\n<!-- settings -->\n<!-- /settings -->\nwords\n<!-- error-codes -->\nOUTDATED\n<!-- /error-codes -->\n<!-- bench -->\n<!-- /bench -->\n<!-- articles -->\n<!-- /articles -->\nend\n',
);

describe('the README', () => {
  it('lists settings and error codes as the code has them, and what was measured (else: npx tsx test/docs-tables.ts)', () => {
    expect(faultsOfReadme(readFileSync(readmePath, 'utf8'))).to.deep.equal([]);
  });

  it('shows the chart of the figures that it lists', () => {
    const picture =
      /!\[[^\]]*\]\((test\/load\/[^)]+\.svg)\)/.exec(readFileSync(readmePath, 'utf8'))?.[1] ?? '';
    const drawn = readFileSync(new URL(`../${picture}`, import.meta.url), 'utf8');
    expect(drawn).to.equal(chart(readResults().comparisons));
  });
});

describe('the comparison of the README with the code', () => {
  it('is content with tables written by the code, and keeps the words around them', () => {
    expect(faultsOfReadme(right)).to.deep.equal([]);
    expect(right)
      .to.match(/^# A\n/)
      .and.to.include('\nwords\n')
      .and.to.match(/\nend\n$/);
    expect(right).to.not.include('OUTDATED');
    expect(withTables(right)).to.equal(right);
  });

  it('finds a row that is missing, changed, added or doubled, and a table that is not there', () => {
    const row = right.split('\n').find((line) => line.startsWith('| `PORT`')) ?? '';
    expect(row).to.include('8080');
    expect(faultsOfReadme(right.replace(`${row}\n`, '')).join('\n')).to.include(
      'settings: missing: | `PORT`',
    );
    expect(faultsOfReadme(right.replace(row, row.replace('8080', '9090')))).to.have.length(2);
    expect(faultsOfReadme(right.replace(row, `${row}\n| \`PROT\` | 1 |`)).join('\n')).to.include(
      'not in the code: | `PROT`',
    );
    expect(faultsOfReadme(right.replace(row, `${row}\n${row}`))).to.have.length(1);
    expect(faultsOfReadme(right.replace('| 404 |', '| 405 |')).join('\n')).to.include(
      'error-codes: missing: | 404 |',
    );
    expect(faultsOfReadme('# A')).to.have.length(Object.keys(tables).length);
  });
});
