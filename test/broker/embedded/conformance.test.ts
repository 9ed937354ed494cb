import { exerciseBroker } from '../conformance.js';
import { createEmbeddedBench } from './bench.js';

exerciseBroker('The built-in engine', async () => createEmbeddedBench(['default', 'other']), {
  countsOnlyStarted: true,
  keepsAcks: true,
  keepsPlaces: true,
});
