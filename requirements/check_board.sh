#!/bin/sh
# Prove that every package of board.txt has a wheel for Python 3.8 on aarch64 with Ubuntu 20.04's C library.
# Needs the network: sh requirements/check_board.sh [python]
set -e
here=$(dirname "$0")
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
"${1:-python3}" -m pip download --quiet --only-binary=:all: --implementation cp --python-version 3.8 \
  --abi cp38 --abi abi3 --abi none \
  --platform manylinux_2_31_aarch64 --platform manylinux_2_28_aarch64 --platform manylinux_2_27_aarch64 \
  --platform manylinux_2_17_aarch64 --platform manylinux2014_aarch64 \
  --requirement "$here/board.txt" --dest "$folder"
ls "$folder"
