// docker networks: the bridge, a published port, names, a shared network namespace.

import assert from 'node:assert/strict';
import { Docker } from './docker.ts';
import { IMAGE } from './image.ts';
import { matrix } from './matrix.ts';
import { until } from './sleep.ts';

const SERVER = 'mkdir /www; echo served > /www/index.html; exec httpd -f -p 80 -h /www';

/** Fetches a page in the room's own network namespace. */
async function fetched(docker: Docker, url: string): Promise<string> {
  return until(`an answer of ${url}`, async () => {
    const { code, stdout } = await docker.room.run(['busybox', 'wget', '-q', '-T', '2', '-O', '-', url]);
    return code === 0 && stdout.trim();
  });
}

matrix('docker', (runtime) => Docker.open(runtime), {
  'bridge network: a published port, by proxy and by rule': async (docker) => {
    const id = await docker.detached(
      ['--network', 'bridge', '--publish', '127.0.0.1:8080:80', '--publish', '8081:80'],
      SERVER,
    );
    assert.equal(await fetched(docker, 'http://127.0.0.1:8080/'), 'served');
    assert.equal(await fetched(docker, 'http://172.17.0.1:8081/'), 'served');
    const address = await docker.inspect(id, '{{.NetworkSettings.Networks.bridge.IPAddress}}');
    assert.equal(await fetched(docker, `http://${address}/`), 'served');
    await docker.remove(id);
    const { code } = await docker.room.run([
      'busybox',
      'wget',
      '-q',
      '-T',
      '2',
      '-O',
      '-',
      'http://127.0.0.1:8080/',
    ]);
    assert.notEqual(code, 0);
  },
  'bridge network: containers find each other by name': async (docker) => {
    await docker.output(['network', 'create', 'own']);
    const server = await docker.detached(['--network', 'own', '--name', 'server'], SERVER);
    const script = 'until wget -q -O - http://server/; do sleep 0.1; done';
    const said = await docker.output(['run', '--rm', '--network', 'own', IMAGE, 'sh', '-c', script]);
    assert.equal(said, 'served');
    await docker.remove(server);
    await docker.output(['network', 'rm', 'own']);
  },
  "another container's network": async (docker) => {
    const server = await docker.detached(['--network', 'bridge'], SERVER);
    const flags = ['--rm', '--network', `container:${server}`];
    const script = 'until wget -q -O - http://127.0.0.1/; do sleep 0.1; done';
    assert.equal(await docker.output(['run', ...flags, IMAGE, 'sh', '-c', script]), 'served');
    await docker.remove(server);
  },
  'the network of the host, and a network joined later': async (docker) => {
    const own = await docker.room.output(['readlink', '/proc/self/ns/net']);
    const script = ['readlink', '/proc/self/ns/net'];
    assert.equal(await docker.output(['run', '--rm', '--network', 'host', IMAGE, ...script]), own);
    await docker.output(['network', 'create', 'later']);
    const id = await docker.detached(['--network', 'bridge']);
    await docker.output(['network', 'connect', 'later', id]);
    assert.match(await docker.output(['exec', id, 'ip', 'addr']), /eth1/);
    await docker.remove(id);
    await docker.output(['network', 'rm', 'later']);
  },
});
