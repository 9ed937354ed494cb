/** For what can only be asked for, as nobody tells when it comes. The pause between two looks leaves the cores to those that are waited for. */
const PAUSE_MS = 20;

export async function eventually(isSo: () => boolean | Promise<boolean>, pauseMs = PAUSE_MS): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, pauseMs));
}
