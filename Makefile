# SPDX-License-Identifier: GPL-2.0
# Builds and installs ringvm, and starts the lab.  "make help" lists the targets.

KDIR ?= /lib/modules/$(shell uname -r)/build
PREFIX ?= /usr/local
DESTDIR ?=
LAB := selftests/lab/lab
export PREFIX DESTDIR

ifneq ($(V),1)
Q := @
endif

all: launcher module
	$(Q)ln -sf $(MODULE_OUT)/ringvm.ko ringvm.ko

# ---- the module -------------------------------------------------------------
# kbuild writes next to the sources: give it a farm of links below build/, one
# for each kernel release, and the tree stays clean.

have_kdir = $(wildcard $(KDIR)/Makefile)
release = $(shell sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' $(KDIR)/include/generated/utsrelease.h 2>/dev/null)

need_kdir:
ifeq ($(have_kdir),)
	@echo "No kernel headers in $(KDIR): install linux-headers-$$(uname -r), or give KDIR=folder; 'make demo' and 'make check' need neither." >&2
	@exit 1
endif

ifneq ($(have_kdir),)
MODULE_OUT := $(CURDIR)/build/module-$(release)
endif

farm: need_kdir
	$(Q)mkdir -p $(MODULE_OUT)
	$(Q)find Kbuild module uapi -type f ! -name '*.o' ! -name '*.ko' ! -name '*.mod*' \
		! -name '.*' -print | while read -r f; do \
		l="$(MODULE_OUT)/$$f"; \
		[ "$$l" -ef "$$f" ] || { mkdir -p "$${l%/*}" && ln -sf "$(CURDIR)/$$f" "$$l"; }; \
	done
	$(Q)find $(MODULE_OUT) -xtype l -delete

module: farm
	$(Q)$(MAKE) -C $(KDIR) M=$(MODULE_OUT) $(if $(C),C=$(C)) $(if $(W),W=$(W)) modules

# A test module: storms of interrupts (selftests/storm).
STORM_OUT := $(CURDIR)/build/storm-$(release)

storm: need_kdir
	$(Q)mkdir -p $(STORM_OUT)
	$(Q)ln -sf $(addprefix $(CURDIR)/selftests/storm/,Kbuild ringvm_storm.c storm.h) $(STORM_OUT)
	$(Q)$(MAKE) -C $(KDIR) M=$(STORM_OUT) $(if $(C),C=$(C)) $(if $(W),W=$(W)) modules
	$(Q)ln -sf $(STORM_OUT)/ringvm_storm.ko build/ringvm_storm.ko

# ---- the launcher and the selftest programs ---------------------------------

launcher:
	$(Q)$(MAKE) -C userspace all

selftests:
	$(Q)$(MAKE) -C selftests OUTPUT=$(CURDIR)/build/selftests all

# ---- installing -------------------------------------------------------------

install: all
	$(Q)$(MAKE) -C $(KDIR) M=$(MODULE_OUT) INSTALL_MOD_DIR=updates \
		$(if $(DESTDIR),INSTALL_MOD_PATH=$(DESTDIR)) modules_install
	$(Q)$(MAKE) -C userspace install
	$(Q)install -D -m 644 uapi/linux/ringvm.h $(DESTDIR)$(PREFIX)/include/linux/ringvm.h

# Sources for DKMS, which then builds for every kernel that is installed:
# dkms install ringvm/VERSION
version = $(shell sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' dkms.conf)
dkms_source = $(DESTDIR)/usr/src/ringvm-$(version)

install-dkms:
	$(Q)find Kbuild dkms.conf module uapi -type f ! -name '*.o' ! -name '*.ko' \
		! -name '*.mod*' ! -name '.*' -exec install -D -m 644 {} $(dkms_source)/{} ';'

uninstall: need_kdir
	$(Q)rm -f $(DESTDIR)/lib/modules/$(release)/updates/ringvm.ko*
	$(Q)$(MAKE) -C userspace uninstall
	$(Q)rm -f $(DESTDIR)$(PREFIX)/include/linux/ringvm.h
	$(Q)[ -n "$(DESTDIR)" ] || depmod $(release)

# ---- the lab ----------------------------------------------------------------
# The lab brings its own kernel headers; a KDIR given here does not reach it.

packages:
	$(Q)selftests/lab/packages

demo: packages
	$(Q)$(LAB) demo

check: packages
	$(Q)$(LAB) check $(TESTS)

# What takes too long for every day.
check-long: packages
	$(Q)$(LAB) check --long $(TESTS)

# Tests of the instruction core beyond those of "make check", on this machine's CPU.
fuzz-insn: packages
	$(Q)$(MAKE) -s --no-print-directory -C selftests/insn OUTPUT=$(CURDIR)/build/insn fuzz

coverage-insn: packages
	$(Q)$(MAKE) -s --no-print-directory -C selftests/insn OUTPUT=$(CURDIR)/build/insn coverage

bench: packages
	$(Q)$(LAB) bench

lab-shell: packages
	$(Q)$(LAB) shell $(LABFLAGS)

lab-update: packages
	$(Q)$(LAB) update

dkms-test: packages
	$(Q)$(LAB) dkms

# ---- the rest ---------------------------------------------------------------

# The cache of downloads stays; "make distclean" removes it too.
clean:
	$(Q)rm -f ringvm.ko
	$(Q)[ ! -d build ] || find build -mindepth 1 -maxdepth 1 ! -name cache -exec rm -rf {} +
	$(Q)[ ! -f userspace/Makefile ] || $(MAKE) -C userspace clean
	$(Q)find selftests -name __pycache__ -prune -exec rm -rf {} +

distclean: clean
	$(Q)rm -rf build

help:
	@echo 'make                 build module and launcher for the running kernel'
	@echo '                     (KDIR=folder: for the kernel whose headers are there)'
	@echo 'make install         module, launcher, manual pages (PREFIX=, DESTDIR=); as root'
	@echo 'make install-dkms    the sources into /usr/src, for dkms install ringvm/$(version)'
	@echo 'make uninstall       take them away again'
	@echo 'make clean           remove what was built; downloads stay (distclean: those too)'
	@echo
	@echo 'In an emulated host, on any Debian 12 machine, whatever its CPU and kernel:'
	@echo 'make demo            boot unmodified Debian guests; MODE=svm GUEST=686|686-pae|amd64'
	@echo '                     NONCE=text choose one'
	@echo 'make check           all tests; TESTS="name ..." some of them'
	@echo 'make check-long      the tests that take half an hour: 686 guests on interp'
	@echo "make fuzz-insn       the interpreter beside this machine's own CPU, in user mode:"
	@echo '                     12 million random cases; SEED=, CASES=, PROCS= choose'
	@echo 'make coverage-insn   what the tests of the instruction core reach (part of make check)'
	@echo "make bench           boot times and loops beside Debian's own KVM, the interpreter's cost;"
	@echo '                     ROWS="boot loops cost count modes traps share" some of them, GUEST=, ROUNDS=;'
	@echo '                     for modes SIDES="ring1 svm qemu-tcg", SCALE=, CLOCK=wall'
	@echo 'make lab-shell       a shell in the emulated host, module loaded; Ctrl-A X ends it'
	@echo '                     (LABFLAGS="--no-svm --cpus 2 ...": selftests/lab/lab shell --help)'
	@echo "make lab-update      move the lab to the archive's current kernels"
	@echo 'make dkms-test       add, build, install, remove with DKMS in a private folder'
	@echo
	@echo 'V=1 shows the commands.  selftests/lab/README.md explains the lab.'

.PHONY: all need_kdir farm module storm launcher selftests install install-dkms uninstall packages demo check check-long \
	fuzz-insn coverage-insn bench lab-shell lab-update dkms-test clean distclean help
