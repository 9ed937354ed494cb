/** Asks for an API key, where the server wants one. */
import { access, findAccess } from './access.js';
import { h, type JSX, useState } from './lib/preact.js';
import { keepKey, keyWanted } from './server.js';

/** @param why  what was wrong with the last one; empty: there was none */
export function KeyPrompt({ why }: { readonly why: string }): JSX.Element {
  const [key, setKey] = useState('');
  function enter(event: Event): void {
    event.preventDefault();
    try {
      keepKey(key.trim());
    } catch (error) {
      keyWanted.set((error as Error).message);
      return;
    }
    access.set({ mayRead: false, mayOperate: false });
    keyWanted.set(undefined);
    void findAccess();
  }
  return (
    <main class="entry">
      <h1>
        <img src="assets/page/icon.svg" alt="" width="28" height="28" /> Sluice
      </h1>
      <form onSubmit={enter}>
        <label for="key">API key</label>
        <input
          id="key"
          type="password"
          autocomplete="off"
          required
          value={key}
          aria-describedby="key-why"
          onInput={(event) => setKey(event.currentTarget.value)}
        />
        <button type="submit" class="main">
          Open
        </button>
        <p id="key-why" class={why === '' ? 'faint' : 'fault'} role={why === '' ? undefined : 'alert'}>
          {why === ''
            ? 'This server wants a key. With the scope read you can look, with operate also act. It is kept in this tab alone.'
            : why}
        </p>
      </form>
    </main>
  );
}
