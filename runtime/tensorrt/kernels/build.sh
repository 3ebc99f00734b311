#!/bin/sh
# Compile the kernels for one GPU: sh build.sh [sm_72] [folder]
# Without fused multiply-add the values are those of the CPU.
set -e
here=$(dirname "$0")
digest=$(cd "$here" && LC_ALL=C && cat *.cu *.h | sha256sum | cut -c 1-16)
nvcc -O3 -fmad=false -arch="${1:-sm_72}" -cudart shared -shared -Xcompiler -fPIC -DSIAMTRT_SOURCES="$digest" \
    -o "${2:-$here}/libsiamtrt_kernels.so" "$here/crop.cu" "$here/decode.cu" "$here/sources.cu" \
    "$here/stage.cu"
