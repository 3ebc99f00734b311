#!/bin/sh
# Prove that every package of board.txt and web.txt has a wheel for aarch64: for JetPack 5 (Python 3.8, Ubuntu 20.04's C library) and for
# JetPack 6 (Python 3.10, Ubuntu 22.04's). Skips with a line where no package index can be reached: check_board.sh [python]
set -e
here=$(dirname "$0")
python=${1:-python3}
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
check() { # version, abi, newest glibc, how that version stands to the border in web.txt, whose markers pip would read as its own
  web=$(sed -n "s/; python_version $4 .*//p" "$here/web.txt")
  if ! "$python" -m pip download --quiet --retries 1 --timeout 15 --only-binary=:all: --implementation cp \
    --python-version "$1" --abi "$2" --abi abi3 --abi none --platform "manylinux_$3_aarch64" \
    --platform manylinux_2_28_aarch64 --platform manylinux_2_27_aarch64 \
    --platform manylinux_2_17_aarch64 --platform manylinux2014_aarch64 \
    --requirement "$here/board.txt" $web --dest "$folder/$2" 2>"$folder/log"; then
    if grep -qE "NewConnectionError|ConnectTimeout|NameResolutionError|ReadTimeout|ProxyError" "$folder/log"; then
      echo "skipped: no package index can be reached, so the wheels for the board were not looked up"
      exit 0
    fi
    cat "$folder/log" >&2
    exit 1
  fi
  echo "$(ls "$folder/$2" | wc -l) wheels for Python $1 on aarch64, all of board.txt and web.txt and what they need"
}
check 3.8 cp38 2_31 '<'
check 3.10 cp310 2_35 '>='
