/** `/assets/page/lib/preact.js`: Preact and its hooks as htm bundles them, one ES module that imports nothing. */
export type { ComponentChildren, JSX } from 'preact';
export { h, render } from 'preact';
export { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
