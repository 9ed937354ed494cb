/** `/openapi.json` and `/docs`: the interface described for programs and for people, offline and open without a key. */
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import type { DocumentedType } from './openapi/schemas.js';
import { createStatic, type Static } from './static.js';

const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sluice: the HTTP interface</title>
<link rel="icon" type="image/png" href="docs/favicon.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<main id="docs"></main>
<script src="docs/swagger-ui.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
`;

/** Without `validatorUrl` the page would send the document to somebody else's server. */
const starter = `SwaggerUIBundle({
  url: 'openapi.json',
  dom_id: '#docs',
  deepLinking: true,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  validatorUrl: null,
});
`;

/** No script but these files', and no other server; the icons of Swagger UI's style sheet are `data:`. */
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'";

const require = createRequire(import.meta.url);
const javascript = 'text/javascript; charset=utf-8';

/** @param isKeyed  whether the server has API keys */
export function createDocs(jobTypes: readonly DocumentedType[], isKeyed: boolean): Static {
  return createStatic(
    {
      '/openapi.json': { type: 'application/json', text: () => documentOf(jobTypes, isKeyed) },
      '/docs': { type: 'text/html; charset=utf-8', text: () => page },
      '/docs/start.js': { type: javascript, text: () => starter },
      '/docs/swagger-ui.js': {
        type: javascript,
        file: pathToFileURL(require.resolve('swagger-ui-dist/swagger-ui-bundle.js')),
      },
      '/docs/swagger-ui.css': {
        type: 'text/css; charset=utf-8',
        file: pathToFileURL(require.resolve('swagger-ui-dist/swagger-ui.css')),
      },
      '/docs/favicon.png': {
        type: 'image/png',
        file: pathToFileURL(require.resolve('swagger-ui-dist/favicon-32x32.png')),
      },
    },
    policy,
  );
}

/** Loaded when it is asked for: most processes never are. */
async function documentOf(jobTypes: readonly DocumentedType[], isKeyed: boolean): Promise<string> {
  const { createDocument } = await import('./openapi/document.js');
  return JSON.stringify(createDocument(jobTypes, isKeyed));
}
