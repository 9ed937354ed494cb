/** The Dockerfile as stages and steps. */
import { Copy, DockerfileParser, Env, From, type Instruction, JSONInstruction } from 'dockerfile-ast';
import { textOf } from './deployed.js';

export interface Step {
  readonly keyword: string;
  /** All that stands behind the keyword, continued lines joined. */
  readonly text: string;
  /** The words behind the flags. */
  readonly words: readonly string[];
  readonly flags: Readonly<Record<string, string>>;
  /** The strings of the form `["node", "-e"]`. */
  readonly exec: readonly string[];
  /** What ENV sets. */
  readonly variables: Readonly<Record<string, string>>;
}

export interface Stage {
  readonly name: string;
  readonly image: string;
  readonly steps: readonly Step[];
}

export const dockerfile = textOf('deploy/Dockerfile');

/** The value of an ARG that stands before the first stage. */
export function argument(name: string): string {
  const found = new RegExp(`^ARG ${name}=(\\S+)$`, 'm').exec(dockerfile)?.[1];
  if (found === undefined) throw new Error(`the Dockerfile has no ARG ${name}`);
  return found;
}

export function readStages(text: string = dockerfile): Stage[] {
  const stages: { name: string; image: string; steps: Step[] }[] = [];
  for (const instruction of DockerfileParser.parse(text).getInstructions()) {
    if (instruction instanceof From) {
      const name = instruction.getBuildStage() ?? String(stages.length);
      stages.push({ name, image: instruction.getImage() ?? '', steps: [] });
    } else stages.at(-1)?.steps.push(stepOf(instruction));
  }
  return stages;
}

function stepOf(instruction: Instruction): Step {
  const text = instruction.getArgumentsContent()?.replace(/\\\n/g, '') ?? '';
  const flags =
    instruction instanceof JSONInstruction || instruction instanceof Copy ? instruction.getFlags() : [];
  const isFlag = (word: string): boolean => flags.some((flag) => word === flag.toString());
  const properties = instruction instanceof Env ? instruction.getProperties() : [];
  return {
    keyword: instruction.getKeyword(),
    text,
    words: instruction
      .getArguments()
      .map((word) => word.getValue())
      .filter((word) => !isFlag(word)),
    flags: Object.fromEntries(flags.map((flag) => [flag.getName(), flag.getValue() ?? ''])),
    exec: /\[.*\]$/s.test(text) ? (JSON.parse(text.slice(text.indexOf('['))) as string[]) : [],
    variables: Object.fromEntries(properties.map((one) => [one.getName(), one.getValue() ?? ''])),
  };
}

/** The last step of this kind in the last stage, which is the one that counts. */
export function lastStep(keyword: string): Step {
  const found = readStages()
    .at(-1)
    ?.steps.findLast((step) => step.keyword === keyword);
  if (found === undefined) throw new Error(`the image has no ${keyword}`);
  return found;
}

/** What the image sets in the environment of each container. */
export function imageEnvironment(): Record<string, string> {
  const steps = readStages().at(-1)?.steps ?? [];
  return Object.assign({}, ...steps.map(({ variables }) => variables));
}
