#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# lint.sh - no warning from any tool; TAP, one line a tool
#
# Works in build/lint, so that it can run beside other tests.
# shellcheck disable=SC2317  # functions are called through try

set -u
cd "$(dirname "$0")/.." || exit 1

out=build/lint
count=0 failed=0
mkdir -p "$out"

# try TITLE COMMAND...
#   One test: the command's status; what it said is shown if it failed.
try()
{
	local title=$1 verdict=ok

	shift
	if ! "$@" >"$out"/output 2>&1; then
		verdict='not ok'
		failed=1
	fi
	count=$((count + 1))
	echo "$verdict $count - $title"
	[ "$verdict" = ok ] || sed 's/^/# /' "$out"/output
}

# The project's files; also in a tree that is not a git checkout.
files()
{
	git ls-files -co --exclude-standard 2>/dev/null ||
		find . -name build -prune -o -name .git -prune -o -type f -print
}

# Shell scripts, by name or first line.
scripts()
{
	local f

	files | sort -u | while read -r f; do
		[ -f "$f" ] || continue
		case $f in
		*.sh | *.bash | *.bats) echo "$f" ;;
		*) head -n 1 "$f" | tr -d '\0' |
			grep -Eq '^#! ?/bin/(ba)?sh' && echo "$f" ;;
		esac
	done
}

# hosted_cc COMPILER
#   All hosted programs and tests with warnings as errors.
hosted_cc()
{
	local b=$out/$1

	make -s B="$b" CC="$1" CFLAGS=-Werror "$b/bow-verify" "$b/bowctl" \
		test-programs
}

# make_value EXPRESSION [VARIABLE=VALUE]
#   What the Makefile makes of it.
make_value()
{
	printf 'include Makefile\nlint-value: ; @echo %s\n' "$1" |
		make -s --no-print-directory -f - lint-value "${@:2}"
}

# The objects only: build/bow-restore may be in use by a test.
klibc_cc()
{
	local objects

	# shellcheck disable=SC2016  # for make
	objects=$(make_value '$(call klibc,$(RESTORE_SRC) $(LIB_SRC))' \
		B="$out/klibc")
	# shellcheck disable=SC2086  # a list
	[ -n "$objects" ] && make -s B="$out/klibc" CFLAGS=-Werror $objects
}

# On machines without calls of their own here the numbers have other names, as on
# armhf: this one, as if it were such a machine.
klibc_other_cc()
{
	local command

	# shellcheck disable=SC2016  # for make
	command=$(make_value '$(KLCC) $(KLIBC_CFLAGS)')
	# shellcheck disable=SC2086  # words
	$command -Werror -U__x86_64__ -U__aarch64__ -D_ASM_UNISTD_64_H \
		-c -o "$out"/other.o lib/kernel-call.c
}

# In a bats file every test is a subshell, entered by bats, which also sets
# variables: what shellcheck says about those is beside the point.
run_shellcheck()
{
	local list bats

	mapfile -t list < <(scripts | grep -v '\.bats$')
	mapfile -t bats < <(scripts | grep '\.bats$')
	shellcheck -x "${list[@]}" &&
		shellcheck -x -e SC2030,SC2031,SC2034,SC2154,SC2317 "${bats[@]}"
}

# void * arithmetic is the kernel's way; ctuuninitvar takes a structure that
# the callee fills in for one that it reads.
run_cppcheck()
{
	cppcheck -q --std=c11 --enable=warning,portability,performance \
		--error-exitcode=1 --inline-suppr --suppress=missingInclude \
		--suppress=arithOperationsOnVoidPointer \
		--suppress=ctuuninitvar -Ikmod -Ilib -Icommon \
		-DBOW_VERSION='"0"' \
		lib common restore verify control kmod tests
}

# man pages: mandoc's warnings, but not its opinions on style.
run_mandoc()
{
	mandoc -Tlint -W warning man/*.[1-8]
}

# module FLAGS...
#   Build a copy of the module; any warning about one of its files is an error.
module()
{
	local k=$out/kmod kdir

	# shellcheck disable=SC2016  # for make
	kdir=$(make_value '$(KDIR)')
	[ -d "$kdir" ] || { echo 'no kernel headers'; return 1; }
	rm -rf "$k"
	mkdir -p "$k"
	cp kmod/*.[ch] kmod/Kbuild "$k"
	make -C "$kdir" M="$PWD/$k" "$@" modules >"$out"/module.log 2>&1 || {
		cat "$out"/module.log
		return 1
	}
	! grep -E "$k/[^ ]*: (warning|error)|: warning: .*$k" "$out"/module.log
}

try 'gcc: no warnings in the programs and tests' hosted_cc gcc
try 'clang: no warnings in the programs and tests' hosted_cc clang
try 'klcc: no warnings in bow-restore' klibc_cc
try 'klcc: nor for another machine' klibc_other_cc
try 'shellcheck: no warnings in the scripts' run_shellcheck
try 'cppcheck: no warnings' run_cppcheck
try 'mandoc: no warnings in the man pages' run_mandoc
try 'module: no warnings with W=1' module W=1
try 'module: no warnings from sparse' module C=2
echo "1..$count"
exit "$failed"
