/** What is shown to a person: one clean line, and how a command ends. */

/** Ends a command with a message on stderr: exit code 2 where the usage was wrong, 1 where the work failed. */
export class CommandFailed extends Error {
  readonly exitCode: 1 | 2;
  constructor(message: string, exitCode: 1 | 2, options?: ErrorOptions) {
    super(message, options);
    this.name = 'CommandFailed';
    this.exitCode = exitCode;
  }
}

/** Without line breaks and control characters: text from elsewhere cannot steer the terminal. */
export function oneLine(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ').trim();
}
