#!/bin/sh
# Prove that every package of board.txt has a wheel for Python 3.8 on aarch64 with Ubuntu 20.04's C library.
# Skips with a line where no package index can be reached: sh requirements/check_board.sh [python]
set -e
here=$(dirname "$0")
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
if ! "${1:-python3}" -m pip download --quiet --retries 1 --timeout 15 --only-binary=:all: --implementation cp \
  --python-version 3.8 --abi cp38 --abi abi3 --abi none \
  --platform manylinux_2_31_aarch64 --platform manylinux_2_28_aarch64 --platform manylinux_2_27_aarch64 \
  --platform manylinux_2_17_aarch64 --platform manylinux2014_aarch64 \
  --requirement "$here/board.txt" --dest "$folder/wheels" 2>"$folder/log"; then
  if grep -qE "NewConnectionError|ConnectTimeout|NameResolutionError|ReadTimeout|ProxyError" "$folder/log"; then
    echo "skipped: no package index can be reached, so the wheels for the board were not looked up"
    exit 0
  fi
  cat "$folder/log" >&2
  exit 1
fi
echo "$(ls "$folder/wheels" | wc -l) wheels for Python 3.8 on aarch64, all of board.txt and what they need"
