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
 * the command goes on and exits by how its work went. Without this a batch would be cut off in its middle, with a stack
 * trace. Output that cannot be written for another reason, such as a full disk, is said on stderr and exits with 1.
 */
export function outliveReaders({
  stdout,
  stderr,
}: {
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
}): void {
  const failed = (error: NodeJS.ErrnoException): boolean => {
    if (error.code === 'EPIPE') return false;
    process.exitCode = 1;
    return true;
  };
  stderr.on('error', failed);
  stdout.on('error', (error) => {
    if (failed(error)) stderr.write(`sluice: the output could not be written: ${oneLine(error.message)}\n`);
  });
}
