// `caisson version`.

import { value } from '../../frontends/flag.ts';
import type { JsonObject } from '../../spec/json.ts';
import { stringifyJson } from '../../spec/json.ts';
import { OCI_VERSION } from '../../spec/validate.ts';
import { type Command, flagText } from '../command.ts';
import type { Context } from '../context.ts';
import { VERSION } from '../version.ts';

export const command: Command = {
  name: 'version',
  summary: 'Show the caisson version information',
  usage: '[OPTIONS]',
  examples: ["caisson version --format '{{.Client.Version}}'"],
  flags: [value('format', 'Format output using a custom template: json or TEMPLATE', { short: 'f' })],
  arguments: [0, 0],
  run: async (parsed, context) => {
    const format = flagText(parsed, 'format') ?? '';
    if (format === '') return printTable(context);
    const versions = documentOf(context);
    if (format === 'json') context.out(stringifyJson(versions));
    else context.out((await import('../format-template.ts')).compileTemplate(format)(versions));
    return 0;
  },
};

function printTable(context: Context): number {
  const { Version, SpecVersion, Engine, Os, Arch, KernelVersion } = fieldsOf(context);
  context.out(` Version:            ${Version}`);
  context.out(` OCI specification:  ${SpecVersion}`);
  context.out(` Engine:             ${Engine}`);
  context.out(` OS/Arch:            ${Os}/${Arch}`);
  context.out(` Kernel version:     ${KernelVersion}`);
  return 0;
}

function fieldsOf({ port }: Context) {
  return {
    Version: VERSION,
    SpecVersion: OCI_VERSION,
    Engine: engineName(),
    Os: 'linux',
    Arch: port.arch === 'aarch64' ? 'arm64' : 'amd64',
    KernelVersion: (port.readFile('/proc/sys/kernel/osrelease') ?? 'unknown').trim(),
  };
}

/** docker's two halves, which are one here: there is no daemon. */
function documentOf(context: Context): JsonObject {
  const fields = fieldsOf(context);
  return { Client: fields, Server: fields };
}

/** `caisson --version`. */
export function printVersion(context: Context): number {
  context.out(`caisson version ${VERSION}`);
  return 0;
}

function engineName(): string {
  const { bun } = process.versions;
  return bun === undefined ? `Node ${process.versions.node}` : `Bun ${bun}`;
}
