# Installs what `npm start` has built: `make install [PREFIX=/usr] [DESTDIR=...]`, and takes it away again: `make uninstall`.

PREFIX ?= /usr/local
DESTDIR ?=
BIN = $(DESTDIR)$(PREFIX)/bin
LIBEXEC = $(DESTDIR)$(PREFIX)/libexec/caisson
SHARE = $(DESTDIR)$(PREFIX)/share
MAN = $(SHARE)/man/man1
BASH = $(SHARE)/bash-completion/completions
ZSH = $(SHARE)/zsh/site-functions
FISH = $(SHARE)/fish/vendor_completions.d
DOC = $(SHARE)/doc/caisson
# systemd reads these two; a distribution's own lie below PREFIX.
UNITS = $(DESTDIR)$(if $(filter /usr,$(PREFIX)),/usr/lib/systemd/system,/usr/local/lib/systemd/system)

all: dist/caisson dist/caisson-bun dist/caisson-oci

dist/caisson dist/caisson-bun dist/caisson-oci:
	node scripts/setup.mjs run

install: all
	install -d $(BIN) $(LIBEXEC) $(MAN) $(BASH) $(ZSH) $(FISH) $(DOC) $(UNITS)
	install -m 755 dist/caisson dist/caisson-oci $(BIN)
	install -m 755 dist/caisson-bun $(LIBEXEC)
	dist/caisson manual $(abspath $(MAN))
	dist/caisson completion bash > $(BASH)/caisson
	dist/caisson completion zsh > $(ZSH)/_caisson
	dist/caisson completion fish > $(FISH)/caisson.fish
	install -m 644 docs/*.md CHANGELOG.md LICENSE $(DOC)
	install -m 644 packaging/caisson-restore.service $(UNITS)

# Images and containers stay where they are: `caisson system prune --all --volumes` removes them first.
uninstall:
	rm -f $(BIN)/caisson $(BIN)/caisson-oci $(LIBEXEC)/caisson-bun $(MAN)/caisson.1 $(MAN)/caisson-*.1
	rm -f $(BASH)/caisson $(ZSH)/_caisson $(FISH)/caisson.fish $(UNITS)/caisson-restore.service
	rm -rf $(DOC)
	rmdir $(LIBEXEC) 2>/dev/null || true

.PHONY: all install uninstall
