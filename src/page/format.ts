/** Numbers and times as people read them. Pure. */

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const fine = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });

export function count(value: number): string {
  return whole.format(value);
}

/** `1 job`, `2 jobs`. */
export function counted(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? '' : 's'}`;
}

/** Per second: `0`, `0.2`, `1,203`. */
export function rate(perSecond: number): string {
  return perSecond > 0 && perSecond < 0.1 ? '< 0.1' : (perSecond < 100 ? fine : whole).format(perSecond);
}

const units = [
  { ms: 86_400_000, name: 'd' },
  { ms: 3_600_000, name: 'h' },
  { ms: 60_000, name: 'min' },
  { ms: 1_000, name: 's' },
] as const;

/** Of two units at most: `850 ms`, `12 s`, `4 min 10 s`, `3 d 4 h`. */
export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  const first = units.findIndex((unit) => ms >= unit.ms);
  let rest = ms;
  return units
    .slice(first, first + 2)
    .map((unit) => {
      const times = Math.floor(rest / unit.ms);
      rest -= times * unit.ms;
      return { times, name: unit.name };
    })
    .filter(({ times }, i) => i === 0 || times > 0)
    .map(({ times, name }) => `${times} ${name}`)
    .join(' ');
}

/** The time of day, with its date when that is not today's. */
export function moment(iso: string, now = new Date()): string {
  const at = new Date(iso);
  const time = at.toLocaleTimeString('en-GB');
  const isToday = at.toDateString() === now.toDateString();
  return isToday ? time : `${at.toLocaleDateString('en-CA')} ${time}`;
}

/** What the server tells in passing, as it stands on its own. */
export function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;
}

/** The beginning of what is too long for a line. */
export function short(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}
