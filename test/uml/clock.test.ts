// F18: the clock of the machine is set forward and back by an hour while containers run: limits of time, stop, health checks and
// restarts go by the monotonic clock.

import { testInUml } from './checks.ts';

/** Seconds since the machine has started, whatever its clock says. */
const NOW = `now() { cut -d. -f1 /proc/uptime; }
jump() { date -s "@$(($(date +%s) + $1))" > /dev/null; }
engine() { $EXECUTABLE --data-root /tmp/data --runtime-root /tmp/run "$@"; }
between() { [ $1 -ge $2 ] && [ $1 -le $3 ] && echo in time || echo "$1 s"; }
`;

testInUml('the clock jumps', { modules: ['overlay'], timeout: 120 }, [
  {
    name: '--timeout is as long as it was asked for',
    script: `${NOW}
engine run -d --name limited --timeout 6s host sleep 100 > /dev/null; begun=$(now)
jump 3600; sleep 1; engine ps --format '{{.State}}'; jump -7200; sleep 1; engine ps --format '{{.State}}'
engine wait limited; between $(($(now) - begun)) 5 12; engine rm limited > /dev/null; jump 3600`,
    output: 'running\nrunning\n137\nin time',
  },
  {
    name: 'stop waits as long as it was asked for',
    script: `${NOW}
for by in 3600 -3600; do
  engine run -d --name rude host sh -c 'trap "" TERM; while :; do sleep 1; done' > /dev/null; begun=$(now)
  engine stop -t 4 rude > /dev/null & sleep 1; jump $by; wait; between $(($(now) - begun)) 3 12
  engine rm rude > /dev/null
done`,
    output: 'in time\nin time',
  },
  {
    name: 'the start period of a health check ends, and checks go on',
    script: `${NOW}
engine run -d --name ill --health-cmd false --health-interval 1s --health-retries 2 --health-start-period 3s host sleep 100 > /dev/null
jump -3600; tries=0; begun=$(now)
while [ "$(engine inspect -f '{{.State.Health.Status}}' ill)" != unhealthy ] && [ $tries -lt 30 ]; do sleep 1; tries=$((tries+1)); done
between $(($(now) - begun)) 2 20; engine rm -f ill > /dev/null; jump 3600`,
    output: 'in time',
  },
  {
    name: 'a container that fails at once is started again with a growing delay, and wait sees its end',
    script: `${NOW}
engine run -d --name failing --restart on-failure:4 host false > /dev/null
jump 3600; sleep 1; jump -7200; engine wait failing; engine inspect -f '{{.RestartCount}} {{.State.Status}}' failing
grep -o '"backoff": *[0-9]*' /tmp/data/containers/*/run.json | grep -o '[0-9]*$'; engine rm failing > /dev/null; jump 3600`,
    output: '1\n4 exited\n1600',
  },
]);
