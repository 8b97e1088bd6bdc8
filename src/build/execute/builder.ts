// Builds the stages that a target needs: independent ones side by side, each operation once, from the cache where it is there.
import { bytesToUtf8 } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';
import { platformName } from '../../spec/platform-match.ts';
import { operationKey } from '../cache/key.ts';
import type { KeptStep } from '../cache/steps.ts';
import type { Instruction } from '../dockerfile/instructions.ts';
import { parseTrigger } from '../dockerfile/parse.ts';
import { errorIn } from '../dockerfile/source.ts';
import { beginStage, Evaluator, type StageState } from '../graph/evaluate.ts';
import { cloneDraft, draftOf, emptyDraft } from '../graph/image-draft.ts';
import type {
  CopyOperation,
  DirectoryOperation,
  Operation,
  Origin,
  RunOperation,
} from '../graph/operations.ts';
import { type BuildPlan, neededStages, originsOf, type PlannedStage } from '../graph/plan.ts';
import type { Vertex } from '../progress/progress.ts';
import { TreeWorker } from '../tree/worker.ts';
import { readySources } from './copy-sources.ts';
import { copyStep } from './copy-step.ts';
import { directoryStep } from './directory-step.ts';
import type { BuildEnvironment } from './environment.ts';
import { hostStage, refuseOnHost } from './host-stage.ts';
import { type Input, type Inputs, NO_FILES } from './inputs.ts';
import { again, located, MAKING, originsOfOperation, STOPPED, titleOf, uniqueKey } from './instruction.ts';
import { mountKeys } from './mount-keys.ts';
import { remoteStep } from './remote-step.ts';
import { hostLayerOf, imageKey, type ResultLayer, type StageResult } from './result.ts';
import { runStep } from './run-step.ts';

/** One stage under construction. */
interface Site {
  readonly planned: PlannedStage;
  readonly evaluator: Evaluator;
  layers: ResultLayer[];
  key: string;
  worker: TreeWorker | undefined;
}

/** Makes a result in `room`; false when its input was meanwhile another than the key says. */
type Work = (worker: TreeWorker, room: string) => Promise<boolean>;

export class Builder implements Inputs {
  /** Results that were used or made, by their directories, with the keys under which they were asked for. */
  readonly steps = new Map<string, { readonly step: KeptStep; readonly keys: Set<string> }>();
  /** Names of `--build-arg` that an ARG has taken. */
  readonly used = new Set<string>();
  private readonly environment: BuildEnvironment;
  private readonly plan: BuildPlan;
  private readonly stages = new Map<number, Promise<StageResult>>();
  private readonly images = new Map<string, Promise<StageResult>>();
  private readonly running = new Map<string, Promise<KeptStep>>();
  private failed = false;
  private readonly lent: TreeWorker;

  /** A worker that no stage has at the moment. */
  private spare: TreeWorker | undefined;

  /** `worker` may be used by the first stage that needs one; whoever opened it closes it. */
  constructor(environment: BuildEnvironment, plan: BuildPlan, worker: TreeWorker) {
    this.environment = environment;
    this.plan = plan;
    this.lent = worker;
    this.spare = worker;
  }

  /** Builds the target. What is under way when a stage fails is brought to its end. Throws CaissonError. */
  async build(): Promise<StageResult> {
    const needed = [...neededStages(this.plan)].sort((a, b) => a - b);
    const results = await Promise.allSettled(needed.map((index) => this.stage(index)));
    // Stages that a trigger of a base image needs have been begun meanwhile.
    await Promise.allSettled([...this.stages.values(), ...this.images.values()]);
    const failures = results.flatMap((result) =>
      result.status === 'rejected' ? [result.reason as unknown] : [],
    );
    if (failures.length > 0)
      throw (
        failures.find((reason) => !(reason instanceof CaissonError && reason.code === STOPPED)) ?? failures[0]
      );
    return await this.stage(this.plan.target);
  }

  private stage(index: number): Promise<StageResult> {
    let begun = this.stages.get(index);
    if (begun === undefined) {
      begun = this.buildStage(this.plan.stages[index] as PlannedStage).catch((error: unknown) => {
        this.failed = true;
        throw error;
      });
      // Whoever waits for it hears of the failure; until somebody does, it is no unhandled one.
      begun.catch(() => undefined);
      this.stages.set(index, begun);
    }
    return begun;
  }

  async of(origin: Origin): Promise<Input> {
    if (origin.kind === 'stage') return await this.stage(origin.stage);
    if (origin.kind === 'image') return await this.image(origin.reference, this.plan.platforms.target);
    if (origin.kind === 'host') return hostStage(this.environment, undefined);
    return NO_FILES;
  }

  private image(reference: string, platform: PlannedStage['platform']): Promise<StageResult> {
    const name = `${reference} ${platformName(platform)}`;
    let begun = this.images.get(name);
    if (begun === undefined) {
      begun = this.environment.image(reference, platform).then(({ config, layers }) => ({
        state: beginStage(draftOf(config)),
        layers,
        key: imageKey(layers, platformName(platform)),
        inheritedHistory: config.history.length,
      }));
      begun.catch(() => undefined);
      this.images.set(name, begun);
    }
    return begun;
  }

  private async buildStage(planned: PlannedStage): Promise<StageResult> {
    const base = await this.base(planned);
    const { index } = planned.stage;
    const inherited = planned.base.kind === 'stage' ? base.state : undefined;
    const state = beginStage(cloneDraft(base.state.draft), inherited);
    const triggers = (state.draft.config.OnBuild ?? []).map((text) => parseTrigger(planned.stage.from, text));
    delete state.draft.config.OnBuild;
    const site: Site = {
      planned,
      evaluator: new Evaluator(this.plan, index, state),
      layers: [...base.layers],
      key: base.key,
      worker: undefined,
    };
    const instructions = [...triggers, ...planned.stage.instructions];
    for (const origin of triggers.flatMap((trigger) => originsOf(this.plan, index, trigger)))
      if (origin.kind === 'stage') void this.stage(origin.stage);
    try {
      await this.instructions(site, instructions, planned.base.kind === 'image' ? 1 : 0);
    } finally {
      if (site.worker === this.lent) this.spare = this.lent;
      else await site.worker?.close();
    }
    for (const name of site.evaluator.used) this.used.add(name);
    const { inheritedHistory } = base;
    return { state: site.evaluator.state, layers: site.layers, key: site.key, inheritedHistory };
  }

  private async base({ base, platform, stage }: PlannedStage): Promise<StageResult> {
    const { line, base: word } = stage.from;
    if (base.kind === 'stage') return refuseOnHost(await this.stage(base.stage), line, word.offset);
    if (base.kind === 'scratch') {
      const state: StageState = beginStage(emptyDraft(platform));
      return { state, layers: [], key: imageKey([], platformName(platform)), inheritedHistory: 0 };
    }
    try {
      if (base.kind === 'host')
        return {
          ...hostStage(this.environment, this.environment.session.room('host')),
          state: beginStage(emptyDraft(platform)),
          inheritedHistory: 0,
        };
      return await this.image(base.reference, platform);
    } catch (error) {
      if (!(error instanceof CaissonError)) throw error;
      const made = errorIn(line, word.offset, bytesToUtf8(error.message));
      throw new CaissonError(made.message, {
        code: error.code,
        exitCode: error.exitCode,
        details: [...made.details, ...error.details],
        cause: error,
      });
    }
  }

  private async instructions(
    site: Site,
    instructions: readonly Instruction[],
    before: number,
  ): Promise<void> {
    const total = before + instructions.filter(({ kind }) => MAKING.has(kind)).length;
    let number = before;
    for (const instruction of instructions) {
      if (this.failed) throw new CaissonError('another stage has failed', { code: STOPPED });
      const making = MAKING.has(instruction.kind);
      if (making) number++;
      const title = making ? titleOf(site.planned, instruction, number, total) : '';
      const operation = site.evaluator.apply(instruction, title);
      if (operation === undefined) continue;
      const step = await this.operation(site, operation);
      // On this machine's own files all changes of a stage are in one place.
      if (hostLayerOf(site.layers) === undefined) site.layers = [...site.layers, { kind: 'step', step }];
      site.key = step.key;
      const entry = site.evaluator.state.draft.history.at(-1);
      if (entry !== undefined) entry.created = new Date(step.created).toISOString();
    }
  }

  /** The result of an operation, from the cache or made. */
  private async operation(site: Site, operation: Operation): Promise<KeptStep> {
    const { environment } = this;
    // Waiting for another stage is no work of this one.
    for (const origin of originsOfOperation(operation))
      await this.of(origin).catch((error: unknown) => {
        throw located(error, operation);
      });
    const vertex = environment.progress.begin(operation.title);
    try {
      const { step, cached } = await this.resultOf(site, operation, vertex);
      if (cached) vertex.cached();
      else vertex.done();
      return step;
    } catch (error) {
      vertex.failed();
      throw located(error, operation);
    }
  }

  private async resultOf(
    site: Site,
    operation: Operation,
    vertex: Vertex,
  ): Promise<{ step: KeptStep; cached: boolean }> {
    switch (operation.kind) {
      case 'copy':
        return await again(() => this.copy(site, operation));
      case 'run':
        return await again(() => this.run(site, operation, vertex));
      case 'directory':
        return await this.directory(site, operation);
    }
  }

  private keyOf({ key, planned }: Site, operation: Operation, inputs: readonly string[]): string {
    return operationKey(operation, { parent: key, platform: platformName(planned.platform), inputs });
  }

  private async find({ planned }: Site, key: string): Promise<KeptStep | undefined> {
    const { noCache, session, remote } = this.environment;
    if (noCache(planned.stage.from.name)) return undefined;
    const own = session.find(key);
    if (own !== undefined) return own;
    const offered = remote.find(key);
    return offered === undefined ? undefined : await remoteStep(this.environment, key, offered);
  }

  private note(step: KeptStep, key: string): KeptStep {
    if (!step.directory.startsWith(this.environment.session.places.steps)) return step;
    const keys = this.steps.get(step.directory)?.keys ?? new Set();
    this.steps.set(step.directory, { step, keys: keys.add(key) });
    return step;
  }

  private async directory(site: Site, operation: DirectoryOperation) {
    const key = this.keyOf(site, operation, []);
    return await this.make(site, key, operation, async (worker, room) => {
      await directoryStep(this.environment, worker, operation, site.layers, room);
      return true;
    });
  }

  private async copy(site: Site, operation: CopyOperation) {
    const { session } = this.environment;
    const fromFiles = operation.sources.every(({ kind }) => kind === 'files');
    const { kind } = operation.origin;
    const quick =
      kind === 'context' || kind === 'host' || !fromFiles
        ? undefined
        : this.keyOf(site, operation, [`all of ${(await this.of(operation.origin)).key}`]);
    const known = quick === undefined ? undefined : await this.find(site, quick);
    if (known !== undefined && quick !== undefined) return { step: this.note(known, quick), cached: true };
    const worker = await this.worker(site);
    const ready = await readySources(this.environment, worker, operation, this);
    try {
      const key = this.keyOf(
        site,
        operation,
        ready.sources.map((source) => source.key),
      );
      const made = await this.make(site, key, operation, async (_, room) => {
        await copyStep(this.environment, worker, operation, ready.sources, site.layers, room);
        // Where a file is no longer the one that was hashed, this has failed.
        return true;
      });
      if (quick !== undefined && hostLayerOf(site.layers) === undefined) {
        session.alias(quick, made.step);
        this.note(made.step, quick);
      }
      return made;
    } finally {
      await ready.close();
    }
  }

  private async run(site: Site, operation: RunOperation, vertex: Vertex) {
    const keys = () => mountKeys(this.environment, () => this.worker(site), operation, this);
    const inputs = await keys();
    const key = this.keyOf(site, operation, inputs);
    return await this.make(site, key, operation, async (worker, room) => {
      const foreign = this.environment.foreign(site.planned.platform);
      if (foreign !== undefined) throw foreign;
      const scene = { environment: this.environment, worker, inputs: this, vertex };
      await runStep(scene, operation, site.layers, room);
      const after = await keys().catch(() => undefined);
      return after?.join() === inputs.join();
    });
  }

  /** The result of a key; where it is not there one stage makes it, and others that want the same wait. */
  private async make(
    site: Site,
    key: string,
    { title }: Operation,
    work: Work,
  ): Promise<{ step: KeptStep; cached: boolean }> {
    const found = (await this.find(site, key)) ?? (await this.running.get(key));
    if (found !== undefined) return { step: this.note(found, key), cached: true };
    const making = this.makeNow(site, key, title, work);
    this.running.set(key, making);
    making.catch(() => this.running.delete(key));
    const step = await making;
    return { step: this.note(step, step.key), cached: false };
  }

  private async makeNow(site: Site, key: string, title: string, work: Work): Promise<KeptStep> {
    const { port, session, slot } = this.environment;
    const worker = await this.worker(site);
    const host = hostLayerOf(site.layers)?.directory;
    if (host !== undefined) {
      await slot(() => work(worker, host));
      return { key: uniqueKey(port), directory: host, created: Date.now(), title };
    }
    const directory = session.stepRoom();
    const isOfKey = await slot(() => work(worker, directory));
    if (!isOfKey)
      this.environment.progress.warn(
        `the context changed while it was read: the result is not kept for others (${title})`,
      );
    const step = { key: isOfKey ? key : uniqueKey(port), directory, created: Date.now(), title };
    await session.add(step);
    return step;
  }

  private async worker(site: Site): Promise<TreeWorker> {
    if (site.worker !== undefined) return site.worker;
    if (this.spare !== undefined) {
      site.worker = this.spare;
      this.spare = undefined;
      return site.worker;
    }
    site.worker = await TreeWorker.open(this.environment.port, 'the build');
    return site.worker;
  }
}
