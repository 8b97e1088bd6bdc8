// What a kubelet asks of containerd's CRI plugin (k8s.io/cri-api, runtime/v1/api.proto), by field numbers.

import { mkdirSync, writeFileSync } from 'node:fs';
import { Containerd, HANDLER } from './containerd.ts';
import { GrpcClient } from './grpc.ts';
import { IMAGE, PAUSE_IMAGE } from './image.ts';
import { type Message, map, type Received } from './protobuf.ts';
import { Room } from './room.ts';
import type { Runtime } from './runtimes.ts';

/** Where a namespace comes from. */
export const NAMESPACE = { pod: 0, container: 1, node: 2 } as const;

/** ContainerState. */
export const STATE = { created: 0, running: 1, exited: 2 } as const;

// A kubelet's default: each container has its own PID namespace.
function ownProcesses(field: number): readonly [number, Message] {
  return [field, namespaces({ pid: NAMESPACE.container })];
}

/** A pod network on a bridge of the room. */
const NETWORK = {
  cniVersion: '1.0.0',
  name: 'pods',
  plugins: [
    {
      type: 'bridge',
      bridge: 'pods0',
      isGateway: true,
      ipam: { type: 'host-local', ranges: [[{ subnet: '10.88.0.0/24' }]], routes: [{ dst: '0.0.0.0/0' }] },
    },
    { type: 'portmap', capabilities: { portMappings: true } },
  ],
};

/** How a sandbox differs from an ordinary one. */
export interface SandboxOptions {
  /** Fields of LinuxSandboxSecurityContext. */
  readonly security?: Message;
  /** Fields of PodSandboxConfig. */
  readonly fields?: Message;
}

/** How a container differs from an ordinary one. */
export interface ContainerOptions {
  readonly command?: readonly string[];
  /** Fields of LinuxContainerSecurityContext. */
  readonly security?: Message;
  /** Fields of LinuxContainerResources. */
  readonly resources?: Message;
  /** Fields of ContainerConfig. */
  readonly fields?: Message;
}

/** A sandbox with what it was made of, which its containers need again. */
export interface Sandbox {
  readonly id: string;
  readonly config: Message;
}

/** A kubelet's part: sandboxes and containers in a containerd of a room. */
export class Kubelet {
  readonly room: Room;
  readonly containerd: Containerd;
  private readonly client: GrpcClient;
  private count = 0;

  private constructor(containerd: Containerd) {
    this.room = containerd.room;
    this.containerd = containerd;
    this.client = new GrpcClient(this.room.seen('/run/containerd/containerd.sock'));
  }

  static async open(runtime: Runtime): Promise<Kubelet> {
    const room = await Room.open(runtime);
    try {
      mkdirSync(`${room.directory}/cni`);
      writeFileSync(`${room.directory}/cni/10-pods.conflist`, JSON.stringify(NETWORK));
      const containerd = await Containerd.start(room);
      for (const name of [IMAGE, PAUSE_IMAGE]) await containerd.importImage(name, 'k8s.io');
      return new Kubelet(containerd);
    } catch (error) {
      await room.close();
      throw error;
    }
  }

  log(): string {
    return this.containerd.log();
  }

  async close(): Promise<void> {
    this.client.close();
    await this.room.close();
  }

  /** A call of the runtime service. */
  call(name: string, request: Message, seconds?: number): Promise<Received> {
    return this.client.call(`runtime.v1.RuntimeService/${name}`, request, seconds);
  }

  async runSandbox({ security = [], fields = [] }: SandboxOptions = {}): Promise<Sandbox> {
    const name = `pod-${this.count++}`;
    const logs = `${this.room.directory}/logs/${name}`;
    mkdirSync(logs, { recursive: true });
    const metadata: Message = [
      [1, name],
      [2, `uid-${name}`],
      [3, 'default'],
    ];
    const linux: Message = [
      [1, `/pods/${name}`],
      [2, [ownProcesses(1), [9, []], ...security]],
    ];
    const config: Message = [[1, metadata], [2, name], [3, logs], [8, linux], ...fields];
    const answer = await this.call('RunPodSandbox', [
      [1, config],
      [2, HANDLER],
    ]);
    return { id: answer.text(1), config };
  }

  /** Creates a container that runs a shell script, or another command; its id. Its log is `ID.log`. */
  async createContainer(sandbox: Sandbox, script: string, options: ContainerOptions = {}): Promise<string> {
    const { command = ['sh', '-c', script], security = [], resources = [], fields = [] } = options;
    const name = `container-${this.count++}`;
    const config: Message = [
      [1, [[1, name]]],
      [2, [[1, IMAGE]]],
      ...command.map((word) => [3, word] as const),
      [11, `${name}.log`],
      [
        15,
        [
          [1, resources],
          [2, [ownProcesses(3), [15, []], ...security]],
        ],
      ],
      ...fields,
    ];
    const answer = await this.call('CreateContainer', [
      [1, sandbox.id],
      [2, config],
      [3, sandbox.config],
    ]);
    return answer.text(1);
  }

  /** The same, and starts it. */
  async startContainer(sandbox: Sandbox, script: string, options?: ContainerOptions): Promise<string> {
    const id = await this.createContainer(sandbox, script, options);
    await this.call('StartContainer', [[1, id]]);
    return id;
  }

  /** ContainerStatus. */
  async status(id: string): Promise<Received> {
    return (await this.call('ContainerStatus', [[1, id]])).message(1);
  }

  /** Runs a shell script in a container, as a probe does. */
  async exec(
    id: string,
    script: string,
    seconds = 0,
  ): Promise<{ code: number; stdout: string; stderr: string }> {
    const answer = await this.call('ExecSync', [
      [1, id],
      [2, 'sh'],
      [2, '-c'],
      [2, script],
      [3, seconds],
    ]);
    return { code: answer.number(3), stdout: answer.text(1), stderr: answer.text(2) };
  }

  /** Stops and removes a sandbox with its containers. */
  async removeSandbox(sandbox: Sandbox): Promise<void> {
    await this.call('StopPodSandbox', [[1, sandbox.id]]);
    await this.call('RemovePodSandbox', [[1, sandbox.id]]);
  }
}

/** NamespaceOption. */
export function namespaces(options: Partial<Record<'network' | 'pid' | 'ipc', number>>): Message {
  const numbers = { network: 1, pid: 2, ipc: 3 } as const;
  return (['network', 'pid', 'ipc'] as const).flatMap((name) => {
    const mode = options[name];
    return mode === undefined ? [] : [[numbers[name], mode] as const];
  });
}

/** Labels of ContainerConfig and PodSandboxConfig. */
export function environment(variables: Readonly<Record<string, string>>): Message {
  return map(6, variables);
}
