// The kernels themselves on the CPU, a block's threads as threads, so that what happens between them is tried too.
#include <pthread.h>

#include <thread>
#include <vector>

#define __global__
#define __shared__ static
#define __syncthreads() pthread_barrier_wait(&barrier)

struct place {
    int x, y;
};
static thread_local place threadIdx, blockIdx;
static place blockDim;
static pthread_barrier_t barrier;

#include "crop_kernel.inc"
#include "decode_kernel.inc"

extern "C" int siamtrt_crop(const uint8_t *frame, int width, int height, const siamtrt_square *square, float *out,
                            int out_px, void *)
{
    blockDim = {32, 8};
    for (blockIdx.y = 0; blockIdx.y < (out_px + 7) / 8; ++blockIdx.y)
        for (blockIdx.x = 0; blockIdx.x < (out_px + 31) / 32; ++blockIdx.x)
            for (threadIdx.y = 0; threadIdx.y < blockDim.y; ++threadIdx.y)
                for (threadIdx.x = 0; threadIdx.x < blockDim.x; ++threadIdx.x)
                    crop(frame, width, height, square, out, out_px);
    return 0;
}

extern "C" int siamtrt_decode(const siamtrt_maps *maps, const siamtrt_last *last, siamtrt_found *found, void *)
{
    pthread_barrier_init(&barrier, nullptr, THREADS);
    std::vector<std::thread> block;
    for (int index = 0; index < THREADS; ++index)
        block.emplace_back([=] {
            threadIdx = {index, 0};
            decode(*maps, last, found);
        });
    for (auto &thread : block) thread.join();
    pthread_barrier_destroy(&barrier);
    return 0;
}
