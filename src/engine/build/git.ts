// Repositories that ADD and builds take files from: by the host's git, which is told nothing that could be an option.
//
// https://git-scm.com/docs/git: `--` before what comes from others; no hooks, no file protocol, no prompts, no
// configuration of the caller's beyond credentials; checked-out links stay links, for nobody follows them outside.
import type { Session } from '../../build/cache/session.ts';
import type { BuildEnvironment } from '../../build/execute/environment.ts';
import { parseGitSource } from '../../build/graph/remote.ts';
import type { Port } from '../../host/port.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { bytesToUtf8, utf8ToBytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';

export type CloneRepository = BuildEnvironment['clone'];

/** Milliseconds that one git may take. */
const TIMEOUT = 30 * 60 * 1000;

const SETTINGS = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'core.symlinks=true',
  'protocol.file.allow=never',
  'protocol.ext.allow=never',
  'transfer.fsckObjects=true',
  'advice.detachedHead=false',
  'init.defaultBranch=main',
];

/** Variables of the caller that git needs: where keys and certificates are, and the way through proxies. */
const PASSED =
  /^(?:HOME|PATH|SSH_AUTH_SOCK|USER|LOGNAME|LANG|SSL_CERT_FILE|SSL_CERT_DIR|(?:HTTPS?|NO|ALL)_PROXY|(?:https?|no|all)_proxy)=/;

export function repositoryCloner(port: Port, session: Session): CloneRepository {
  return async (url, { keepGitDirectory, checksum }) => {
    const source = parseGitSource(url);
    const git = port.findProgram('git');
    if (git === undefined)
      throw new CaissonError('git is not installed, and a repository is to be fetched', {
        code: 'ENOTFOUND',
        exitCode: 1,
      });
    const directory = `${session.room('git')}/checkout`;
    port.makeDirectory(directory);
    const run = gitRunner(port, git, directory);
    await run(['init', '--quiet']);
    await run(
      [
        'fetch',
        '--quiet',
        '--depth',
        '1',
        '--no-tags',
        '--',
        source.remote,
        source.ref === '' ? 'HEAD' : source.ref,
      ],
      source.remote,
    );
    const commit = (await run(['rev-parse', '--verify', 'FETCH_HEAD^{commit}'])).trim();
    for (const wanted of [checksum, source.commit]) {
      if (wanted !== '' && !commit.startsWith(wanted))
        throw new CaissonError(
          utf8ToBytes(`${source.remote}: expected commit ${wanted}, and it is ${commit}`),
          {
            code: 'EDIGEST',
            exitCode: 1,
          },
        );
    }
    await run(['checkout', '--quiet', '--force', '--detach', commit]);
    if (source.submodules && port.stat(`${directory}/.gitmodules`) !== undefined)
      await run(['submodule', '--quiet', 'update', '--init', '--recursive', '--depth', '1'], source.remote);
    if (!(source.keepGitDirectory ?? keepGitDirectory)) port.remove(`${directory}/.git`);
    return { directory, subdirectory: utf8ToBytes(source.subdirectory), commit };
  };
}

function gitRunner(port: Port, git: Bytes, directory: Bytes) {
  const env = [
    ...port.environment.filter((entry) => PASSED.test(entry)),
    'GIT_TERMINAL_PROMPT=0',
    'GIT_CONFIG_NOSYSTEM=1',
    'GIT_ALLOW_PROTOCOL=http:https:git:ssh',
    'GIT_LFS_SKIP_SMUDGE=1',
    'GIT_SSH_COMMAND=ssh -o BatchMode=yes',
  ];
  const settings = SETTINGS.flatMap((setting) => ['-c', setting]);
  return async (args: readonly string[], about = ''): Promise<string> => {
    const words = [...settings, ...args].map(utf8ToBytes);
    const ended = await port.spawn(git, words, { env, cwd: directory, timeout: TIMEOUT });
    if (ended.exitCode === 0) return bytesToUtf8(ended.stdout);
    const said = ended.stderr.trim().split('\n').slice(0, 5);
    throw new CaissonError(utf8ToBytes(`git ${args[0]}${about === '' ? '' : ` of ${about}`} failed`), {
      code: 'EGIT',
      exitCode: 1,
      details: said,
    });
  };
}
