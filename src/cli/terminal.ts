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

/**
 * Whoever reads our output may stop reading (`| head -1`). That is no fault: what is written from then on is dropped, and
 * the command goes on and exits by how its work went. Without this a batch would be cut off in its middle, with a stack trace.
 */
export function outliveReaders(...streams: readonly NodeJS.WriteStream[]): void {
  for (const stream of streams) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
  }
}
