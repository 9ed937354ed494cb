/** Picks the engine. What is not picked is not loaded: an engine is a good part of the time that a start takes. */
import type { Engine, EngineParts } from './engine.js';

export async function createEngine(parts: EngineParts): Promise<Engine> {
  const urls = parts.config.amqpUrls;
  if (urls === undefined) {
    const { createEmbeddedEngine } = await import('./embedded-engine.js');
    return createEmbeddedEngine(parts);
  }
  const { createRabbitmqEngine } = await import('./rabbitmq-engine.js');
  return createRabbitmqEngine(urls, parts);
}
