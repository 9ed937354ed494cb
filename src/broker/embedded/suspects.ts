/** Takes jobs that were running when processes ended, one at a time, the queues and jobs in turns. */
import type { Lane } from '../../job/job.js';
import type { Delivery } from '../broker.js';
import { EmbeddedDelivery, type Settling } from './delivery.js';
import type { Dispatch } from './dispatch.js';
import { laneOf } from './places.js';
import type { Storage } from './storage.js';

export interface Suspects {
  open(id: number, queue: string, lane: Lane): void;
  take(queues: readonly string[]): Promise<Delivery | undefined>;
  inHand(queue: string): number;
}

export function createSuspects(storage: Storage, settling: Settling, read: Dispatch['read']): Suspects {
  const lanes = new Map<number, { readonly queue: string; readonly lane: Lane }>();
  /** Place -> queue. */
  const inHand = new Map<number, string>();
  let last = 0;

  return {
    open: (id, queue, lane) => void lanes.set(id, { queue, lane }),
    async take(queues) {
      const wanted = [...lanes].filter(([, { queue }]) => queues.includes(queue)).map(([id]) => id);
      const { rows, bytes } = await storage.suspect([wanted, last, [...inHand.keys()]]);
      const row = rows[0];
      if (row === undefined) return undefined;
      const [place, , , , lost] = row;
      last = place;
      const home = lanes.get(laneOf(place));
      if (home === undefined || inHand.has(place)) return undefined;
      const job = read(
        [-place, row[1], row[2], row[3], lost, row[5]],
        Buffer.from(bytes),
        home.queue,
        home.lane,
      );
      if (job === undefined) return undefined;
      inHand.set(place, home.queue);
      const letGo = (): void => void inHand.delete(place);
      return new EmbeddedDelivery(job, lost, -place, settling, { hold() {}, gone: letGo, takeBack: letGo });
    },
    inHand: (queue) => [...inHand.values()].filter((its) => its === queue).length,
  };
}
