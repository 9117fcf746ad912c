# SPDX-License-Identifier: GPL-2.0
# bow: roll back a Linux root disk.  Plain make; see "make help".
#
# Options, on the command line or in the environment:
#   V=1             show the commands
#   CC, KLCC        compilers: hosted programs, static klibc programs
#   CFLAGS          added last to the compiler's flags
#   CPPFLAGS, LDFLAGS
#                   the same of the preprocessor and the linker, for the hosted
#                   programs
#   STRIP           strips build/bow-restore; empty: it is not stripped, nor with
#                   "nostrip" among DEB_BUILD_OPTIONS
#   SAN=1           build with address and undefined-behaviour sanitizers
#                   (hosted programs and tests only; into build/san)
#   COV=1           build hosted programs and tests with clang, counting what
#                   runs (into build/cov); "make coverage" does it
#   KDIR            kernel build directory (default: the newest installed
#                   kernel headers under /lib/modules)
#   DESTDIR, prefix, sbindir, mandir, sharedir, docdir, completiondir
#                   where install puts things; initramfsdir, udevdir, motddir and
#                   dkmsdir do not follow prefix
#   ARGS            arguments of a campaign: check-kills ARGS=2000
#   CHECKS          which checks "make check" runs (default: all)
#   SECONDS         how long "make soak" or "soak-qemu" runs (default: six hours)
#   TRACE_STATES    states of each trace that "make check-traces" tries

VERSION := 0.1
V ?= 0
SAN ?= 0
COV ?= 0
CC ?= cc
KLCC ?= klcc
STRIP ?= strip
ifneq ($(filter nostrip,$(DEB_BUILD_OPTIONS)),)
STRIP :=
endif
prefix ?= /usr/local
sbindir ?= $(prefix)/sbin
mandir ?= $(prefix)/share/man
sharedir ?= $(prefix)/share
docdir ?= $(sharedir)/doc/bow
# initramfs-tools and udev look only below /usr or /etc.
initramfsdir ?= /usr/share/initramfs-tools
udevdir ?= /usr/lib/udev/rules.d
motddir ?= /etc/update-motd.d
dkmsdir ?= /usr/src/bow-$(VERSION)
completiondir ?= $(sharedir)/bash-completion/completions

KDIR ?= $(patsubst %/,%,$(lastword $(shell ls -d /lib/modules/*/build/ 2>/dev/null | sort -V)))

ifeq ($(V),0)
Q := @
say = @printf '  %-8s%s\n' '$(1)' '$(2)';
else
Q :=
say =
endif

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wpointer-arith -Wundef -Wvla -Wformat=2
BASE_CFLAGS := -std=gnu11 -O2 -g $(WARN) -Ikmod -Ilib -Icommon \
	-D_FILE_OFFSET_BITS=64 -D_GNU_SOURCE -DBOW_VERSION='"$(VERSION)"'
# -Wshadow trips over the headers of klibc itself.
# bow-restore needs a part of libbow only: the linker leaves out the rest.
KLIBC_CFLAGS := -std=gnu11 -Os $(filter-out -Wshadow,$(WARN)) -Ikmod -Ilib -Icommon -DBOW_VERSION='"$(VERSION)"' \
	-ffunction-sections -fdata-sections
# CFLAGS may be a distribution's.  klibc lacks what the first two of these would call,
# and klcc links without gcc, so without its plugins and specs.  No initramfs is to grow
# by a program that is faster than -Os makes it, nor by the unwind tables that klcc
# leaves in with -g.  CPPFLAGS and LDFLAGS are for the other libc.
KLIBC_LAST := -fno-stack-protector -fno-sanitize=all -fno-lto \
	-fno-asynchronous-unwind-tables
klibc_cflags = $(KLIBC_CFLAGS) $(filter-out -O2 -specs=%,$(CFLAGS)) $(KLIBC_LAST)
ifeq ($(SAN),1)
B := build/san
BASE_CFLAGS += -fsanitize=address,undefined -fno-sanitize-recover=undefined \
	-fno-omit-frame-pointer -O1
else ifeq ($(COV),1)
B := build/cov
override CC := clang
BASE_CFLAGS += -fprofile-instr-generate -fcoverage-mapping -O1 -DBOW_COVERAGE
else
B := build
endif

# The pure part of the module: compiled into the module, libbow and the tests.
CORE_SRC := kmod/bow_disk.c kmod/bow_map.c kmod/bow_work.c kmod/bow_core.c \
	kmod/bow_batch.c kmod/bow_publish.c kmod/bow_stream.c kmod/bow_freemap.c
# What libbow shares with the module: building and checking disk structures.
LIB_SRC := $(sort $(wildcard lib/*.c)) kmod/bow_disk.c
# What the programs share beyond libbow: messages, progress.
COMMON_SRC := $(sort $(wildcard common/*.c))
RESTORE_SRC := $(sort $(wildcard restore/*.c)) $(COMMON_SRC)
VERIFY_SRC := $(sort $(wildcard verify/*.c)) $(COMMON_SRC)
# bowctl browse reads the old state as bow-verify does.
CONTROL_SRC := $(sort $(wildcard control/*.c)) $(COMMON_SRC) verify/view.c verify/live.c
# bowctl without main(), for its tests.
CONTROL_PARTS := $(filter-out control/bowctl.c,$(CONTROL_SRC))
CONTROL_LIBS := -ldevmapper -lext2fs -lcom_err
# The same of bow-verify.
VERIFY_PARTS := $(filter-out verify/bow-verify.c,$(VERIFY_SRC))
VERIFY_LIBS := -lext2fs -le2p -lcom_err
UNIT_SRC := $(sort $(wildcard tests/unit/test_*.c))
HEADERS := $(wildcard kmod/*.h lib/*.h common/*.h restore/*.h verify/*.h control/*.h \
	tests/*.h tests/*/*.h)
MAN := $(sort $(wildcard man/*.[1-8]))
# What the man pages refer to.
DOCS := docs/design.md docs/format.md

hosted = $(patsubst %.c,$(B)/hosted/%.o,$(1))
klibc = $(patsubst %.c,$(B)/klibc/%.o,$(1))
small = $(patsubst %.c,$(B)/small/%.o,$(1))

PROGRAMS := build/bow-restore $(B)/bow-verify $(B)/bowctl
TEST_PROGRAMS := $(patsubst tests/unit/%.c,$(B)/tests/%,$(UNIT_SRC)) \
	$(B)/tests/mklog $(B)/tests/sim $(B)/tests/sim-small $(B)/tests/bow-restore \
	$(B)/tests/ctl $(B)/tests/faults $(B)/tests/passes $(B)/tests/biglog $(B)/tests/copier \
	$(B)/tests/fragment $(B)/tests/map $(B)/tests/ways $(B)/tests/logwrites
# Not watched, not counted.
ifeq ($(B),build)
TEST_PROGRAMS += build/tests/churn build/tests/stress build/tests/request build/tests/reseed \
	build/tests/load build/tests/packages build/tests/spent
endif

all: $(PROGRAMS)

help:
	@echo 'Build:'
	@printf '%-18s %s\n' all 'build/bow-restore, build/bow-verify, build/bowctl'
	@printf '%-18s %s\n' kmod 'kmod/dm-bow.ko for KDIR=$(KDIR)'
	@printf '%-18s %s\n' clean 'remove what was built'
	@echo
	@echo 'Test:'
	@printf '%-18s %s\n' check 'the tests in short form; on Debian 12, as root, it'
	@printf '%-18s %s\n' '' 'installs what they need'
	@printf '%-18s %s\n' check-long 'the same for longer, and log-writes, fio, kills, disk-faults'
	@printf '%-18s %s\n' lint 'compilers, sparse, shellcheck, cppcheck: no warning allowed'
	@printf '%-18s %s\n' coverage 'which lines and branches tests reach: docs/coverage.md'
	@printf '%-18s %s\n' demo 'a wrecked Debian in QEMU undoes itself'
	@printf '%-18s %s\n' demo-rescue 'the same, the rollback typed in the rescue shell'
	@echo
	@echo 'Campaigns:'
	@printf '%-18s %s\n' check-kernels 'the module built for, and tested on, 5.10, 6.1, 6.12, the'
	@printf '%-18s %s\n' '' 'newest, and a 6.1 with KASAN, PROVE_LOCKING, kmemleak'
	@printf '%-18s %s\n' check-debug-kernel 'dm-bow under load in a kernel with KASAN and lockdep'
	@printf '%-18s %s\n' soak 'in that kernel for six hours, or SECONDS=...: checkpoints'
	@printf '%-18s %s\n' '' 'that are committed, rolled back, resumed, cut; nothing grows'
	@printf '%-18s %s\n' soak-qemu 'the same on two processors; stopped, it goes on later'
	@printf '%-18s %s\n' check-log-writes 'what the module writes, cut at each flush and between'
	@printf '%-18s %s\n' check-fio 'fio over dm-bow on six filesystems, then a rollback'
	@printf '%-18s %s\n' check-kills 'guests that are killed at random; ARGS=2000 for so many'
	@printf '%-18s %s\n' check-kills-qemu 'guests in QEMU that are killed or reset; ARGS=2000'
	@printf '%-18s %s\n' check-disk-faults 'a checkpoint on a disk, or in a kernel, that fails'
	@printf '%-18s %s\n' traces 'record what real work in a Debian guest does to its disk'
	@printf '%-18s %s\n' check-traces 'cut the power in these recordings'
	@printf '%-18s %s\n' mutations 'faults put in on purpose: is there a test that fails?'
	@printf '%-18s %s\n' mutations-module 'faults in the shell around the core, in QEMU: hours'
	@printf '%-18s %s\n' reliability-doc 'tables of docs/reliability.md, from records of runs'
	@echo
	@echo 'Benchmarks:'
	@printf '%-18s %s\n' bench 'bench-model, bench-slow and bench-write'
	@printf '%-18s %s\n' bench-model 'writing, beside other targets, on a disk of null_blk'
	@printf '%-18s %s\n' bench-slow 'writing, on a virtio disk that is held back'
	@printf '%-18s %s\n' bench-write 'writing, on a virtio disk'
	@printf '%-18s %s\n' bench-files 'unpacking and packages, on a filesystem'
	@printf '%-18s %s\n' bench-map 'memory and time that the block map takes'
	@printf '%-18s %s\n' bench-placement 'how many backups ext4 overwrites, in real work'
	@printf '%-18s %s\n' bench-restore 'how fast a rollback is, beside a plain copier'
	@printf '%-18s %s\n' bench-upgrade 'what a checkpoint costs a Debian that becomes the next'
	@echo
	@echo 'Install:'
	@printf '%-18s %s\n' install 'programs, module source, initramfs hook, man pages, docs'
	@printf '%-18s %s\n' uninstall 'remove what install put there'
	@echo
	@echo 'Options: V=1 SAN=1 COV=1 CC KLCC CFLAGS CPPFLAGS LDFLAGS STRIP KDIR DESTDIR'
	@echo 'prefix ARGS CHECKS SECONDS TRACE_STATES; see the top of the Makefile.'

# Windows so small that small logs need many, batches that small writes overflow.
SMALL := -DBOW_IO_BYTES=8192u -DWINDOW_BYTES=24576u -DWINDOW_PIECES=7u \
	-DGATHERED=5u -DCHUNK_RUNS=4u -DPIECE_WORDS=2u -DAIO_LEAST=1u -DWRITES_MAX=2u \
	-DBOW_BATCH_BLOCKS=24u -DBOW_BATCH_COPIES=5u -DBOW_ENTRY_BYTES=409600u

# Rebuild everything when the flags change.
FLAGS_NOW := $(CC)|$(KLCC)|$(STRIP)|$(BASE_CFLAGS)|$(klibc_cflags)|$(CPPFLAGS)|$(CFLAGS)|$(LDFLAGS)|$(SMALL)
$(B)/.build-config: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(FLAGS_NOW))' | cmp -s - $@ || \
		printf '%s\n' '$(subst ','\'',$(FLAGS_NOW))' >$@

$(B)/hosted/%.o: %.c $(HEADERS) $(B)/.build-config
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(BASE_CFLAGS) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(B)/klibc/%.o: %.c $(HEADERS) $(B)/.build-config
	@mkdir -p $(@D)
	$(call say,KLCC,$<)$(KLCC) $(klibc_cflags) -c -o $@ $<

build/bow-restore: $(call klibc,$(RESTORE_SRC) $(LIB_SRC))
	$(call say,KLCC,$@)$(KLCC) -static -Wl,--gc-sections,-z,noseparate-code -o $@ $^ \
		$(if $(STRIP),&& $(STRIP) $@)

$(B)/bow-verify: $(call hosted,$(VERIFY_SRC) $(LIB_SRC))
	$(call say,LD,$@)$(CC) $(BASE_CFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ \
		$(VERIFY_LIBS)

$(B)/bowctl: $(call hosted,$(CONTROL_SRC) $(LIB_SRC))
	$(call say,LD,$@)$(CC) $(BASE_CFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ \
		$(CONTROL_LIBS)

# The same program hosted, so that the sanitizers can watch it.
$(B)/tests/bow-restore: $(call hosted,$(RESTORE_SRC) $(LIB_SRC))
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(BASE_CFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^

# Unit tests and test tools: one .c each, linked with all that is pure.
$(B)/tests/%: $(B)/hosted/tests/unit/%.o $(call hosted,$(LIB_SRC) $(filter-out kmod/bow_disk.c,$(CORE_SRC)))
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(BASE_CFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^

# With small windows, and allocations that fail.
$(B)/tests/test_small_%: $(B)/small/tests/unit/test_small_%.o $(call small,$(LIB_SRC)) \
		$(call hosted,$(filter-out kmod/bow_disk.c,$(CORE_SRC)))
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(BASE_CFLAGS) $(CFLAGS) $(LDFLAGS) \
		-Wl,--wrap=calloc -o $@ $^

$(B)/tests/test_ctl_%: $(B)/hosted/tests/unit/test_ctl_%.o $(call hosted,$(CONTROL_PARTS) $(LIB_SRC))
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(BASE_CFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ \
		$(CONTROL_LIBS)

$(B)/tests/test_verify_%: $(B)/hosted/tests/unit/test_verify_%.o $(call hosted,$(VERIFY_PARTS) $(LIB_SRC))
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(BASE_CFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ \
		$(VERIFY_LIBS)

$(B)/tests/ctl: $(call hosted,$(sort $(wildcard tests/ctl/*.c)) $(CONTROL_PARTS) $(LIB_SRC))
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(BASE_CFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ \
		$(CONTROL_LIBS)

$(B)/tests/mklog: $(call hosted,$(sort $(wildcard tests/mklog/*.c)))
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(BASE_CFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^

$(B)/tests/sim: $(call hosted,$(sort $(wildcard tests/sim/*.c)) $(LIB_SRC) $(filter-out kmod/bow_disk.c,$(CORE_SRC)))
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(BASE_CFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^

# libbow on a disk that fails; mklog, without its main(), makes the logs.
FAULTS_SRC := $(sort $(wildcard tests/faults/*.c)) \
	$(filter-out tests/mklog/mklog.c,$(sort $(wildcard tests/mklog/*.c)))
FAULTS_WRAP := -Wl,--wrap=calloc,--wrap=die,--wrap=pread64,--wrap=pwrite64 \
	-Wl,--wrap=bow_kernel_call

$(B)/small/%.o: %.c $(HEADERS) $(B)/.build-config
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(BASE_CFLAGS) $(CPPFLAGS) $(CFLAGS) $(SMALL) -c -o $@ $<

# The simulator again: writes are backed up in parts.
$(B)/tests/sim-small: $(call small,$(sort $(wildcard tests/sim/*.c)) $(filter-out kmod/bow_disk.c,$(CORE_SRC))) $(call hosted,$(LIB_SRC))
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(BASE_CFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^

$(B)/tests/faults: $(call hosted,$(FAULTS_SRC)) $(call small,$(LIB_SRC))
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(BASE_CFLAGS) $(CFLAGS) $(LDFLAGS) \
		$(FAULTS_WRAP) -o $@ $^

# libbow with too little memory, on the logs of the faults campaign.
$(B)/tests/passes: $(call small,tests/passes/passes.c) $(call hosted,tests/faults/logs.c tests/faults/disk.c $(filter-out tests/mklog/mklog.c,$(sort $(wildcard tests/mklog/*.c)))) \
		$(call small,$(LIB_SRC))
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(BASE_CFLAGS) $(CFLAGS) $(LDFLAGS) \
		-Wl,--wrap=calloc,--wrap=die -o $@ $^

# libbow on what a recording of dm-log-writes leaves at each moment.
$(B)/tests/logwrites: $(call hosted,$(sort $(wildcard tests/logwrites/*.c)) $(LIB_SRC))
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(BASE_CFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^

# A log of any length, and what a rollback of it is measured against.
$(B)/tests/biglog: $(call hosted,tests/bench/biglog.c $(LIB_SRC))
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(BASE_CFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^

$(B)/tests/copier: $(call hosted,tests/bench/copier.c tests/bench/copies.c)
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(BASE_CFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^

$(B)/tests/ways: $(call hosted,tests/bench/ring.c tests/bench/copies.c lib/kernel-call.c) \
		$(call small,tests/bench/ways.c lib/aio.c)
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(BASE_CFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^

# Static: its own memory is counted with that of what it runs.
build/tests/spent: tests/bench/spent.c build/.build-config
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(BASE_CFLAGS) $(CPPFLAGS) $(CFLAGS) -static -o $@ $<

$(B)/tests/fragment: $(call hosted,tests/bench/fragment.c)
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(BASE_CFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(VERIFY_LIBS)

# What the map costs, with sizes of devices that no test has.
$(B)/tests/map: $(call hosted,tests/bench/map.c $(LIB_SRC) $(filter-out kmod/bow_disk.c,$(CORE_SRC)))
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(BASE_CFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^

# These run in the minimal guest, which has no libc of its own.
build/tests/churn: tests/vm/churn.c
build/tests/stress: tests/vm/stress.c
build/tests/request: tests/vm/request.c
build/tests/reseed: tests/vm/reseed.c
build/tests/load: tests/bench/load.c
build/tests/packages: tests/bench/packages.c
build/tests/churn build/tests/stress build/tests/request build/tests/reseed build/tests/load \
		build/tests/packages: build/.build-config
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(BASE_CFLAGS) $(CPPFLAGS) \
		$(CFLAGS) -pthread -static -o $@ $(filter %.c,$^)

test-programs: $(TEST_PROGRAMS)

kmod:
	@test -n '$(KDIR)' || { echo 'make kmod: no kernel headers found; install linux-headers or set KDIR' >&2; exit 1; }
	$(Q)$(MAKE) -C $(KDIR) M=$(CURDIR)/kmod modules

check:
	$(Q)tests/check.sh $(CHECKS)

check-long:
	$(Q)tests/check.sh --long $(CHECKS)

lint:
	$(Q)tests/lint.sh

bench-restore: build/bow-restore test-programs
	$(Q)tests/bench-restore.sh

# $(call campaign,NAME,COMMAND): what it prints is left in build/NAME.tap, and its
# record where reliability-doc finds it, with the commit that it began with.
campaign = $(Q)mkdir -p build; rm -f build/$(1).failed; \
	{ $(2) || : >build/$(1).failed; } | tests/record.sh | tee build/$(1).tap; \
	test ! -e build/$(1).failed

mutations:
	$(call campaign,$@,tests/mutations.sh)

mutations-module:
	$(call campaign,$@,tests/mutations.sh --module)

coverage:
	$(call campaign,$@,tests/coverage.sh)

traces:
	$(Q)tests/traces.sh

# Needs what "make traces" leaves.
TRACE_STATES ?= 20000
check-traces: $(B)/tests/sim
	$(Q)set -e; for t in build/traces/*.trace; do \
		$(B)/tests/sim --trace $$t --states $(TRACE_STATES) >build/traces/tap || r=1; \
		tests/record.sh <build/traces/tap; done; exit $${r-0}

reliability-doc:
	$(Q)tests/reliability.sh

check-debug-kernel: test-programs kmod all
	$(Q)tests/debug-kernel.sh

bench: bench-model bench-slow bench-write

bench-files: all test-programs
	$(Q)tests/bench-files.sh

bench-map: $(B)/tests/map
	$(Q)tests/bench-map.sh

bench-placement: all kmod test-programs
	$(Q)tests/bench-placement.sh

bench-upgrade: all test-programs
	$(Q)tests/bench-upgrade.sh

check-kernels: all test-programs
	$(Q)tests/kernels.sh --vm engine.bats --vm failures.bats --vm requests.bats --vm resume.bats \
		--vm removal.bats --vm scenarios.bats

bench-write: all kmod test-programs
	$(Q)tests/bench-write.sh

bench-model: all kmod test-programs
	$(Q)tests/bench-write.sh --model

bench-slow: all kmod test-programs
	$(Q)tests/bench-write.sh --slow

check-log-writes check-fio check-kills check-disk-faults: check-%: all test-programs
	$(call campaign,$*,tests/$*.sh $(ARGS))

check-kills-qemu: all test-programs kmod
	$(call campaign,kills-qemu,tests/kills.sh --qemu $(ARGS))

soak: test-programs kmod all
	$(call campaign,$@,tests/soak.sh $(SECONDS))

soak-qemu: test-programs all
	$(call campaign,$@,tests/soak.sh --qemu $(SECONDS))

demo:
	$(Q)tests/vm/demo.sh

demo-rescue:
	$(Q)tests/vm/demo.sh --rescue

INSTALL := install
# All that install puts anywhere and uninstall removes: MODE:FILE:WHERE.
INSTALLED := \
	$(foreach f,$(PROGRAMS),755:$(f):$(sbindir)/$(notdir $(f))) \
	$(foreach f,$(MAN),644:$(f):$(mandir)/man8/$(notdir $(f))) \
	$(foreach f,$(DOCS),644:$(f):$(docdir)/$(notdir $(f))) \
	$(foreach f,$(PROGRAMS),644:completion/bow.bash:$(completiondir)/$(notdir $(f))) \
	$(foreach f,hooks/bow scripts/local-premount/bow scripts/local-bottom/bow, \
		755:initramfs-hook/$(f):$(initramfsdir)/$(f)) \
	644:initramfs-hook/scripts/bow-functions:$(initramfsdir)/scripts/bow-functions \
	644:initramfs-hook/60-bow.rules:$(udevdir)/60-bow.rules \
	755:control/motd:$(motddir)/60-bow \
	755:initramfs-hook/grub-install:$(sharedir)/bow/grub-install \
	$(foreach f,$(filter-out %.mod.c,$(wildcard kmod/*.[ch])) kmod/Kbuild kmod/dkms.conf, \
		644:$(f):$(dkmsdir)/$(notdir $(f)))

# GRUB's own grub-install makes way for ours, whatever the PATH of who runs it.  With
# DESTDIR it does not: there it is for a package's preinst to divert the one, and to
# link the other to its place.
GRUB_INSTALL := /usr/sbin/grub-install
divert = dpkg-divert --quiet --local --rename --divert $(GRUB_INSTALL).real

install: all
	$(Q)for f in $(INSTALLED); do \
		mode=$${f%%:*} f=$${f#*:}; \
		$(INSTALL) -D -m $$mode "$${f%%:*}" "$(DESTDIR)$${f#*:}" || exit; \
	done
	$(Q)sed -i 's|@sbindir@|$(sbindir)|' "$(DESTDIR)$(initramfsdir)/hooks/bow"
	$(Q)test -n '$(DESTDIR)' || ! command -v dpkg-divert >/dev/null || \
		! { test -e $(GRUB_INSTALL) || test -e $(GRUB_INSTALL).real; } || { \
		$(divert) --add $(GRUB_INSTALL) && \
		ln -sfn $(sharedir)/bow/grub-install $(GRUB_INSTALL); }

# Where grub-mkconfig is told to use no UUID, it finds dm-bow, or no PARTUUID of it: our
# initramfs knows what is meant (see its hook), any other one would not find the root.
BOW_ROOTS := [[:space:]]root=(/dev/mapper/bow-root|(PART)?UUID=)([[:space:]]|$$)

# Not while there is a checkpoint: what can end it would be gone, here and in the next
# initramfs.
uninstall:
	$(Q)test -n '$(DESTDIR)' || ! grep -qsx 1 /sys/block/dm-*/bow/state || { \
		echo 'make uninstall: a checkpoint is active: commit first (bowctl commit)' >&2; \
		exit 1; }
	$(Q)test -n '$(DESTDIR)' || ! grep -qsE '$(BOW_ROOTS)' /boot/grub/grub.cfg || { \
		echo 'make uninstall: /boot/grub/grub.cfg names the root in a way that only bow understands:' >&2; \
		echo 'start once with bow=off, run update-grub, and try again' >&2; \
		exit 1; }
	$(Q)test -n '$(DESTDIR)' || ! command -v dkms >/dev/null || \
		test -z "$$(dkms status bow/$(VERSION))" || \
		dkms remove bow/$(VERSION) --all
	$(Q)test -n '$(DESTDIR)' || \
		test "$$(readlink $(GRUB_INSTALL))" != $(sharedir)/bow/grub-install || { \
		rm $(GRUB_INSTALL) && $(divert) --remove $(GRUB_INSTALL) && { \
		! test -e /dev/mapper/bow-root || \
		echo 'make uninstall: the root is on dm-bow until update-initramfs -u -k all and a reboot: do not install or upgrade GRUB before' >&2; }; }
	$(Q)for f in $(INSTALLED); do \
		rm -f "$(DESTDIR)$${f##*:}" || exit; \
	done
	$(Q)rm -rf "$(DESTDIR)$(dkmsdir)" "$(DESTDIR)$(sharedir)/bow" "$(DESTDIR)/var/lib/bow"
	$(Q)rmdir "$(DESTDIR)$(docdir)" 2>/dev/null || :

clean:
	$(Q)rm -rf build
	$(Q)rm -f kmod/*.ko kmod/*.o kmod/*.mod kmod/*.mod.c kmod/.*.cmd \
		kmod/Module.symvers kmod/modules.order

FORCE:
.PHONY: all help kmod check check-long check-debug-kernel soak soak-qemu check-kernels \
	check-log-writes check-fio check-kills check-kills-qemu check-disk-faults coverage \
	traces check-traces lint mutations mutations-module reliability-doc \
	bench-restore bench bench-write bench-model bench-slow bench-files bench-map \
	bench-placement bench-upgrade demo demo-rescue install uninstall \
	clean test-programs FORCE
.SECONDARY:
.DELETE_ON_ERROR:
