// The decode as one block: its threads share the cells, then halve their choices until one is left.
#include <cuda_runtime.h>

#include "decode.h"

enum { THREADS = 512 };

static __global__ void decode(siamtrt_maps maps, const siamtrt_last *last, siamtrt_found *found)
{
    __shared__ siamtrt_choice choices[THREADS];
    __shared__ siamtrt_last here;
    int thread = threadIdx.x;
    if (thread == 0) here = *last;  // it may lie in the host's memory: read once
    __syncthreads();
    siamtrt_choice best = siamtrt_choice_of(&maps, &here, thread < maps.count ? thread : 0);
    for (int index = thread + THREADS; index < maps.count; index += THREADS)
        best = siamtrt_better(best, siamtrt_choice_of(&maps, &here, index));
    choices[thread] = best;
    for (int half = THREADS / 2; half > 0; half /= 2) {
        __syncthreads();
        if (thread < half) choices[thread] = siamtrt_better(choices[thread], choices[thread + half]);
    }
    if (thread == 0) *found = siamtrt_answer(&maps, &here, choices[0]);
}

// Enqueue the decode of one response on a stream; returns a cudaError_t. `maps` is read before this returns.
extern "C" int siamtrt_decode(const siamtrt_maps *maps, const siamtrt_last *last, siamtrt_found *found, void *stream)
{
    decode<<<1, THREADS, 0, static_cast<cudaStream_t>(stream)>>>(*maps, last, found);
    return static_cast<int>(cudaGetLastError());
}
