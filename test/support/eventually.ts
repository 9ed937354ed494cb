/** For what can only be asked for, as nobody tells when it comes. The pause between two looks leaves the cores to those that are waited for. */
const PAUSE_MS = 20;

export async function eventually(isSo: () => boolean | Promise<boolean>, pauseMs = PAUSE_MS): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, pauseMs));
}

/** Asks until the answer is as it shall be. @returns that answer */
export async function answerOf<Answer>(
  ask: () => Promise<Answer>,
  isIt: (answer: Answer) => boolean,
): Promise<Answer> {
  for (;;) {
    const answer = await ask();
    if (isIt(answer)) return answer;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}
