/** `npm run dashboards`: writes deploy/grafana/*.json anew. */
import { writeFileSync } from 'node:fs';
import { renderDashboards } from './render.js';

for (const [name, text] of renderDashboards()) writeFileSync(new URL(`../${name}`, import.meta.url), text);
