// The part of a frame that a crop reads, from the host's memory into the GPU's own, in words.
#include <cuda_runtime.h>

#include "stage.h"

static __global__ void stage(const siamtrt_word *frame, int width, int height, int is_nv12, int64_t words,
                             const siamtrt_square *square, siamtrt_word *staged)
{
    int64_t index = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (index >= words || !siamtrt_is_read(width, height, is_nv12, square, index)) return;
    staged[index] = frame[index];
}

// Enqueue the copy on a stream; returns a cudaError_t. Frame and copy lie at multiples of a word.
extern "C" int siamtrt_stage(const uint8_t *frame, int width, int height, int is_nv12,
                             const siamtrt_square *square, uint8_t *staged, void *stream)
{
    int64_t words = siamtrt_words(width, height, is_nv12);
    const siamtrt_word *from = reinterpret_cast<const siamtrt_word *>(frame);
    siamtrt_word *to = reinterpret_cast<siamtrt_word *>(staged);
    dim3 threads(256), blocks((words + 255) / 256);
    stage<<<blocks, threads, 0, static_cast<cudaStream_t>(stream)>>>(from, width, height, is_nv12, words, square, to);
    return static_cast<int>(cudaGetLastError());
}
