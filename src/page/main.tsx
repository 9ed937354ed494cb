/** Where the page begins. */
import { App } from './app.js';
import { h, render } from './lib/preact.js';

const root = document.getElementById('page');
if (root !== null) render(<App />, root);
