#!/bin/sh
# Prove that every package that the image installs has a wheel for aarch64: for JetPack 5 (Python 3.8, Ubuntu 20.04's C library) and for
# JetPack 6 (Python 3.10, Ubuntu 22.04's). Skips with a line where no package index can be reached: check_board.sh [python]
set -e
here=$(dirname "$0")
python=${1:-python3}
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
# Pip would read the markers as those of this machine, so they are read here as the board's.
cat >"$folder/pins.py" <<'PYTHON'
import sys
from pathlib import Path

from pip._vendor.packaging.requirements import Requirement


def pins(path, board):
    for line in path.read_text().splitlines():
        if line.startswith("-r "):
            yield from pins(path.with_name(line[3:].strip()), board)
        elif line.strip() and not line.startswith("#"):
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate(board):
                yield f"{requirement.name}{requirement.specifier}"


print(*pins(Path(sys.argv[1]), {"python_version": sys.argv[2], "platform_machine": "aarch64"}))
PYTHON
check() { # version, abi, newest glibc
  if ! "$python" -m pip download --quiet --retries 1 --timeout 15 --only-binary=:all: --implementation cp \
    --python-version "$1" --abi "$2" --abi abi3 --abi none --platform "manylinux_$3_aarch64" \
    --platform manylinux_2_28_aarch64 --platform manylinux_2_27_aarch64 \
    --platform manylinux_2_17_aarch64 --platform manylinux2014_aarch64 \
    $("$python" "$folder/pins.py" "$here/board-tests.txt" "$1") --dest "$folder/$2" 2>"$folder/log"; then
    if grep -qE "NewConnectionError|ConnectTimeout|NameResolutionError|ReadTimeout|ProxyError" "$folder/log"; then
      echo "skipped: no package index can be reached, so the wheels for the board were not looked up"
      exit 0
    fi
    cat "$folder/log" >&2
    exit 1
  fi
  echo "$(ls "$folder/$2" | wc -l) wheels for Python $1 on aarch64, all of board-tests.txt and what they need"
}
check 3.8 cp38 2_31
check 3.10 cp310 2_35
