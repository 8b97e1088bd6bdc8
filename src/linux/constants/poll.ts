// Constants of poll(2), epoll(7), eventfd(2), timerfd_create(2), inotify(7) and the clocks.

// poll(2), <asm-generic/poll.h>
export const POLLIN = 1;
export const POLLPRI = 2;
export const POLLOUT = 4;
export const POLLERR = 0x8;
export const POLLHUP = 0x10;
export const POLLNVAL = 0x20;
export const POLLRDHUP = 0x2000;

// epoll_ctl(2), <linux/eventpoll.h>
export const EPOLLIN = 0x1;
export const EPOLLPRI = 0x2;
export const EPOLLOUT = 0x4;
export const EPOLLERR = 0x8;
export const EPOLLHUP = 0x10;
export const EPOLLRDHUP = 0x2000;
export const EPOLLET = 0x80000000;
export const EPOLLONESHOT = 0x40000000;
export const EPOLL_CTL_ADD = 1;
export const EPOLL_CTL_DEL = 2;
export const EPOLL_CTL_MOD = 3;

// epoll_create1(2), eventfd(2), timerfd_create(2), inotify_init1(2)
export const EPOLL_CLOEXEC = 0o2000000;
export const EFD_SEMAPHORE = 1;
export const EFD_CLOEXEC = 0o2000000;
export const EFD_NONBLOCK = 0o4000;
export const TFD_CLOEXEC = 0o2000000;
export const TFD_NONBLOCK = 0o4000;
export const IN_CLOEXEC = 0o2000000;
export const IN_NONBLOCK = 0o4000;

// inotify(7), <linux/inotify.h>
export const IN_MODIFY = 2;
export const IN_CLOSE_WRITE = 0x8;
export const IN_CREATE = 0x100;
export const IN_DELETE = 0x200;
export const IN_DELETE_SELF = 0x400;
export const IN_MOVED_TO = 0x80;

// clock_gettime(2), timerfd_settime(2), <linux/time.h>
export const CLOCK_REALTIME = 0;
export const CLOCK_MONOTONIC = 1;
export const CLOCK_BOOTTIME = 7;
export const TFD_TIMER_ABSTIME = 1;
