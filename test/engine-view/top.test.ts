// top and stats: processes without any program of the image (T33), and what cgroups say.
import assert from 'node:assert/strict';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { Containers, failed, rootOnly, skip } from '../engine/containers.ts';

const box = new Containers();
after(() => box.close());

test('top shows the processes and runs no ps of the image (T33)', { skip }, async () => {
  const { rootfs } = box.harness;
  for (const name of ['ps', 'top']) {
    // A link to busybox.
    rmSync(`${rootfs}/bin/${name}`, { force: true });
    writeFileSync(`${rootfs}/bin/${name}`, '#!/bin/sh\necho ran > /trojan\n', { mode: 0o755 });
  }
  const name = box.detached([], 'sleep 101 & sleep 102 & wait');
  await box.until(() => box.output(['top', name, 'pid']).split('\n').length === 4, 'three processes');
  const lines = box.output(['top', name]).split('\n');
  assert.match(lines[0] ?? '', /^UID +PID +PPID +C +STIME +TTY +TIME +CMD$/);
  assert.ok(lines.some((line) => / sleep 101$/.test(line)) && lines.some((line) => / sleep 102$/.test(line)));
  assert.ok(lines.some((line) => line.includes(` ${box.init(name)} `)));
  const own = box
    .output(['top', name, 'hpid', 'pid', 'comm'])
    .split('\n')
    .slice(1)
    .map((line) => line.split(/ +/));
  assert.deepEqual(own.map(([, pid]) => pid).sort(), ['1', '2', '3']);
  assert.match(box.output(['top', name, 'aux']).split('\n')[0] ?? '', /^USER +PID +%CPU/);
  assert.deepEqual(box.output(['top', name, '-o', 'pid=P,args']).split('\n')[0]?.split(/ +/), [
    'P',
    'COMMAND',
  ]);
  failed(box.call(['top', name, '-o', 'colour']), 1, /unknown option of ps: colour/);
  assert.ok(!existsSync(`${rootfs}/trojan`));
  box.output(['kill', name]);
  box.output(['wait', name]);
  failed(box.call(['top', name]), 1, /is not running/);
  for (const program of ['ps', 'top']) rmSync(`${rootfs}/bin/${program}`);
  box.clear();
});

test('stats: a busy container and its limits; one that has ended', { skip: rootOnly }, () => {
  const busy = box.detached(['-m', '64m', '--cpus', '0.5'], 'while :; do :; done');
  const ended = box.detached([], 'true');
  box.output(['wait', ended]);
  const [row] = box
    .output(['stats', '--no-stream', '--format', 'json', busy])
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, string>);
  const share = Number(row?.CPUPerc?.replace('%', ''));
  assert.ok(share > 5 && share < 75, `${share} % with half a processor`);
  assert.match(row?.MemUsage ?? '', /^[0-9.]+[KM]iB \/ 64MiB$/);
  assert.equal(row?.PIDs, '1');
  const all = box.output(['stats', '-a', '--no-stream']).split('\n');
  assert.match(
    all[0] ?? '',
    /^CONTAINER ID +NAME +CPU % +MEM USAGE \/ LIMIT +MEM % +NET I\/O +BLOCK I\/O +PIDS$/,
  );
  assert.equal(all.length, 3);
  assert.match(all.find((line) => line.includes(ended)) ?? '', / 0\.00% +0B \/ 0B /);
  failed(box.call(['stats', '--no-stream', 'nobody']), 1, /No such container/);
  box.clear();
});
