import { exerciseStock } from '../stock.js';
import { openRabbitStock } from './stock-bench.js';

exerciseStock('RabbitMQ', () => openRabbitStock());
