// A tree with every kind of file that a layer may hold.

/** `sh` with the tree as current directory, and the program of tree.c as $2. */
export const EVERYTHING = `
mkdir -p etc/empty usr/bin tmp var/log dev deep
chmod 1777 tmp; chmod 0555 etc/empty; chmod 2755 var/log
echo hello > etc/motd; ln etc/motd motd; ln etc/motd usr/bin/motd
ln -s usr/bin bin; ln -s /nowhere dangling; ln -s ../../../../etc/passwd outside
mkfifo -m 0620 pipe; mknod null c 1 3; mknod disk b 259 70000; chmod 666 null
head -c 3000000 /dev/urandom > large; chmod 4755 large
head -c 1048576 /dev/zero > exactly; head -c 1048577 /dev/urandom > one-more
printf x > "$(printf 'latin\\351')"; printf y > "$(printf 'new\\nline')"; printf z > 'two  spaces'; : > '-dash'
printf u > "$(printf 'snow\\342\\230\\203man')"
truncate -s 5000000 sparse; printf data | dd of=sparse bs=1 seek=4000000 conv=notrunc status=none
truncate -s 100000 hole; printf first | dd of=sparse-start conv=notrunc status=none; truncate -s 3000000 sparse-start
: > empty; chmod 0 empty
for i in $(seq 300); do echo $i > usr/bin/f$i; done
long=$(printf 'd%.0s' $(seq 90)); mkdir -p deep/$long/$long; echo deep > deep/$long/$long/$long
ln -s $long/$long/$long/$long/$long deep/longlink; ln deep/$long/$long/$long deep/hard-to-long
chown 123:456 etc/motd; chown -h 70000:80000 bin; chown 3000000:4000000000 exactly; chown 65536:65535 tmp
chown 5:6 pipe; chown 7:8 null; chown 1000:1000 large; chmod 6755 large
"$2" --set empty security.capability 0100000200200000000000000000000000000000
"$2" --set etc/motd user.note 6869; "$2" --set etc user.directory 00ff0a; "$2" --set large user.binary $(printf '%02x' $(seq 0 255))
touch -d '2001-02-03 04:05:06.789012345' large; touch -h -d '2002-02-02 02:02:02.000000001' bin
touch -d '1999-01-01' etc/empty; touch -d '1965-05-05 05:05:05.5' exactly; touch -d '2000-01-01 00:00:00.25' pipe null
touch -d '2003-03-03 03:03:03.123456789' tmp usr/bin usr etc var/log; touch -h -d '2004-04-04' dangling
`;

/** The kinds of file of which a user's launcher makes none. */
export const DEVICES = /^\S+ [cb] /;
