// `caisson logout`.
import { loginHost, logout, serverTitle } from '../../engine/images/login.ts';
import type { Command } from '../command.ts';
import { ending } from '../image-shop.ts';

export const command: Command = {
  name: 'logout',
  summary: 'Log out from a registry',
  usage: '[SERVER]',
  flags: [],
  arguments: [0, 1],
  run: ending(async ({ positionals }, context) => {
    const host = loginHost(positionals[0]);
    const title = serverTitle(host);
    if (await logout(context.port, host)) context.out(`Removing login credentials for ${title}`);
    else context.out(`Not logged in to ${title}`);
  }),
};
