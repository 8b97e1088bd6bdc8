// `caisson info`.
import { systemInfo } from '../../engine/images/info.ts';
import { value } from '../../frontends/flag.ts';
import type { Bytes } from '../../linux/bytes.ts';
import type { JsonObject } from '../../spec/json.ts';
import { stringifyJson } from '../../spec/json.ts';
import { type Command, flagText } from '../command.ts';
import { compileTemplate } from '../format-template.ts';
import { ending, inShop } from '../image-shop.ts';
import { VERSION } from '../version.ts';

export const command: Command = {
  name: 'info',
  summary: 'Display system-wide information',
  usage: '[OPTIONS]',
  description: '`caisson doctor` says what this host can and cannot do.',
  flags: [value('format', 'Format output using a custom template: json or TEMPLATE', { short: 'f' })],
  arguments: [0, 0],
  run: ending(async (parsed, context) => {
    const info = await inShop(context, (shop) => systemInfo(shop, VERSION));
    const format = flagText(parsed, 'format');
    if (format === undefined || format === '') context.port.write(1, asText(info));
    else if (format === 'json') context.out(stringifyJson(info));
    else context.out(compileTemplate(format)(info));
  }),
};

/** docker's words for the fields that a person looks for. */
const LINES: readonly (readonly [string, string])[] = [
  ['Containers', 'Containers'],
  [' Running', 'ContainersRunning'],
  ['Images', 'Images'],
  ['Server Version', 'ServerVersion'],
  ['Storage Driver', 'Driver'],
  ['Cgroup Driver', 'CgroupDriver'],
  ['Cgroup Version', 'CgroupVersion'],
  ['Kernel Version', 'KernelVersion'],
  ['Operating System', 'OperatingSystem'],
  ['OSType', 'OSType'],
  ['Architecture', 'Architecture'],
  ['CPUs', 'NCPU'],
  ['Name', 'Name'],
  ['Caisson Root Dir', 'DockerRootDir'],
];

function asText(info: JsonObject): Bytes {
  const lines = LINES.map(([title, name]) => ` ${title}: ${String(info[name])}`);
  const memory = ` Total Memory: ${(Number(info.MemTotal) / 2 ** 30).toFixed(2)}GiB`;
  const options = (info.SecurityOptions as readonly string[]).map(
    (option) => `  ${option.replace(/^name=/, '')}`,
  );
  return `${[...lines, memory, ' Security Options:', ...options].join('\n')}\n`;
}
