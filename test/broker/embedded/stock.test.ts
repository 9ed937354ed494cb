import { exerciseStock } from '../stock.js';
import { openEmbeddedStock } from './stock-bench.js';

exerciseStock('the built-in engine', async () => openEmbeddedStock());
