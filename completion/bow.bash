# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# bow.bash - completion for bow-restore, bow-verify and bowctl in bash
#
# Installed under the name of each.  Options and commands are those that the
# program's own --help lists, so that they cannot differ.

# _bow_options PROGRAM
#   Its long options, one a line.
_bow_options()
{
	"$1" --help 2>/dev/null | grep -oE -- '--[a-z][a-z-]*' | sort -u
}

# _bow_commands PROGRAM
#   The first words of the section "Commands", if it has one.
_bow_commands()
{
	"$1" --help 2>/dev/null | sed -n '/^Commands:/,/^$/s/^  \([a-z]\{1,\}\) .*/\1/p'
}

# _bow_takes_no_name OPTION
#   Is what follows it neither a file nor a device?
_bow_takes_no_name()
{
	case $1 in
	-C | --cat | -N | --name) return 0 ;;
	esac
	return 1
}

# _bow_command_given
#   Is one of the words before the present one a command of bowctl?
_bow_command_given()
{
	local i command

	for ((i = 1; i < COMP_CWORD; i++)); do
		for command in $(_bow_commands "$1"); do
			[ "${COMP_WORDS[i]}" != "$command" ] || return 0
		done
	done
	return 1
}

_bow()
{
	local program=$1 word=$2 before=$3 words

	COMPREPLY=()
	if _bow_takes_no_name "$before"; then
		return
	elif [[ $word == -* ]]; then
		words=$(_bow_options "$program")
	elif [ "${program##*/}" = bowctl ] && ! _bow_command_given "$program" &&
			[ "$before" != -d ] && [ "$before" != --device ]; then
		words=$(_bow_commands "$program")
	else
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		compopt -o filenames 2>/dev/null
		return
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}

complete -F _bow bow-restore bow-verify bowctl
