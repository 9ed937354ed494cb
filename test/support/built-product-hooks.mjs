/** The module hooks of built-product.mjs, which run in a thread of their own. */
const root = new URL('../../', import.meta.url).href;

export async function resolve(specifier, context, nextResolve) {
  const found = await nextResolve(specifier, context);
  const path = found.url.startsWith(root) ? found.url.slice(root.length) : '';
  const [, file] = /^((?:src|workers)\/.+)\.ts$/.exec(path) ?? [];
  return file === undefined ? found : { ...found, url: `${root}dist/${file}.js`, format: 'module' };
}
