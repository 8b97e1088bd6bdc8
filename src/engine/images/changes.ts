// `--change` of import and commit: instructions of a Dockerfile that change an image's configuration alone.
import { parseDockerfile } from '../../build/dockerfile/parse.ts';
import { beginStage, Evaluator } from '../../build/graph/evaluate.ts';
import { cloneDraft, DEFAULT_PATH, type ImageDraft } from '../../build/graph/image-draft.ts';
import { planBuild } from '../../build/graph/plan.ts';
import { type Bytes, bytesToUtf8, utf8ToBytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';
import type { NamedPlatform } from '../../spec/platform-match.ts';

/** docker-import(1) and docker-commit(1). */
const ALLOWED = ['cmd', 'entrypoint', 'env', 'expose', 'label', 'onbuild', 'user', 'volume', 'workdir'];
const ALLOWED_TOO = ['healthcheck', 'stopsignal'];

/**
 * The draft with the changes; its history is left alone. Throws CaissonError `EDOCKERFILE` with the place in the
 * changes, one of which is a line.
 */
export function applyChanges(
  draft: ImageDraft,
  changes: readonly Bytes[],
  platform: NamedPlatform,
): ImageDraft {
  if (changes.length === 0) return draft;
  const text = ['FROM scratch', ...changes.map(bytesToUtf8)].join('\n');
  const dockerfile = parseDockerfile('--change', text);
  const [stage, ...more] = dockerfile.stages;
  const plan = planBuild(dockerfile, {
    target: '',
    given: new Map(),
    platforms: { build: platform, target: platform },
  });
  const hadPath = draft.config.Env.some((line) => line.startsWith('PATH='));
  const state = beginStage(cloneDraft(draft));
  const evaluator = new Evaluator(plan, 0, state);
  for (const instruction of stage?.instructions ?? []) {
    if (more.length > 0 || ![...ALLOWED, ...ALLOWED_TOO].includes(instruction.kind)) {
      const name = more.length > 0 ? 'FROM' : instruction.kind.toUpperCase();
      throw new CaissonError(utf8ToBytes(`${name} is not a valid change command`), { code: 'EDOCKERFILE' });
    }
    evaluator.apply(instruction, '');
  }
  const { config } = state.draft;
  // BuildKit's own, which no change has asked for.
  if (draft.config.ArgsEscaped === undefined) delete config.ArgsEscaped;
  if (!hadPath) config.Env = config.Env.filter((line) => line !== `PATH=${DEFAULT_PATH}`);
  return { ...state.draft, history: draft.history };
}
