/** Colours: on a terminal alone, and not where NO_COLOR asks for none. */
import { styleText } from 'node:util';

export type Style = 'plain' | 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan' | 'magenta';

export type Painter = (style: Style, text: string) => string;

/** Node itself knows whether the stream takes colours, and reads NO_COLOR and FORCE_COLOR. */
export function painterOf(stream: NodeJS.WriteStream): Painter {
  return (style, text) => (style === 'plain' || text === '' ? text : styleText(style, text, { stream }));
}
