/**
 * Gives way to new connections. libuv accepts one connection in a turn of the loop, and under load a turn answers whatever hundreds of
 * connections have sent: those that are not accepted yet wait for tens of seconds. So while connections arrive, only a few requests are
 * begun in each turn.
 */
export interface GiveWay {
  /** A connection has been accepted: more may wait. */
  arrived(): void;
  /** Begins a request, at once or in one of the next turns; in order. */
  begin(request: () => void): void;
}

/** About a ms of work on slow cores: a thousand connections are in after less than a second, and requests still share writes to the broker. */
const PER_TURN = 4;

/** @param inNextTurn  calls back after the loop has looked for connections once more */
export function createGiveWay(
  perTurn: number = PER_TURN,
  inNextTurn: (then: () => void) => void = setImmediate,
): GiveWay {
  let held: (() => void)[] = [];
  let hasArrived = false;
  let isGivingWay = false;

  function turn(): void {
    const now = hasArrived ? held.slice(0, perTurn) : held;
    held = hasArrived ? held.slice(perTurn) : [];
    isGivingWay = hasArrived;
    hasArrived = false;
    if (isGivingWay) inNextTurn(turn);
    for (const request of now) request();
  }

  return {
    arrived() {
      hasArrived = true;
      if (isGivingWay) return;
      isGivingWay = true;
      inNextTurn(turn);
    },
    begin(request) {
      if (isGivingWay) held.push(request);
      else request();
    },
  };
}
