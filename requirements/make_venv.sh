#!/bin/sh
# Make .venv with the packages of a file: sh requirements/make_venv.sh PYTHON FILE [cpu]
# "cpu" takes the torch of the file without CUDA. An environment that cannot be finished is removed again.
base=$1 file=$2 torch=$3
is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
fail() { echo "$1" >&2; exit 2; }

case "$torch" in cpu | "") ;; *) fail "TORCH=$torch is unknown: TORCH=cpu, or leave it out" ;; esac
if test -x .venv/bin/python && ! is_new_enough .venv/bin/python; then
  echo ".venv is of an older Python: making it anew" >&2
  rm -rf .venv
fi
if test ! -x .venv/bin/python; then
  is_new_enough "$base" || fail "Python 3.11 or newer is needed, $base is $("$base" -V 2>&1): BASE_PYTHON=/path/to/python3.11"
  trap 'test -n "$ready" || rm -rf .venv' EXIT
  trap 'exit 130' INT TERM
  "$base" -m venv .venv || fail "no virtual environment: on Debian and Ubuntu, apt install python3-venv"
fi
if test -n "$torch"; then
  wheels=https://download.pytorch.org/whl/cpu
  .venv/bin/python -m pip install --quiet "$(grep '^torch==' "$file")" --index-url "$wheels" || exit 1
fi
.venv/bin/python -m pip install --quiet -r "$file" || exit 1
ready=yes
