// The kernels themselves on the CPU, with their launches: a block's threads as threads where the grid is one block, so
// that what happens between them is tried too. A launch that a GPU would refuse is refused.
#include <pthread.h>

#include <thread>
#include <vector>

#define __global__
#define __shared__ static
#define __syncthreads() pthread_barrier_wait(&barrier)

struct place {
    int x, y;
};
struct dim3 {
    int x, y;
    dim3(int x, int y = 1) : x(x), y(y) {}
};
static thread_local place threadIdx, blockIdx;
static dim3 blockDim(0);
static pthread_barrier_t barrier;

enum { LARGEST_BLOCK = 1024, INVALID_CONFIGURATION = 9 };  // as CUDA's documentation says
static int status;

static int cudaGetLastError()
{
    int last = status;
    status = 0;
    return last;
}

template <typename Kernel> static void launch(dim3 blocks, dim3 threads, Kernel kernel)
{
    int count = threads.x * threads.y;
    if (count < 1 || count > LARGEST_BLOCK || blocks.x < 1 || blocks.y < 1) {
        status = INVALID_CONFIGURATION;
        return;
    }
    blockDim = threads;
    bool together = blocks.x * blocks.y == 1;  // the threads of larger grids do not wait for each other
    pthread_barrier_init(&barrier, nullptr, together ? count : 1);
    std::vector<std::thread> block;
    for (int y = 0; y < blocks.y; ++y)
        for (int x = 0; x < blocks.x; ++x)
            for (int index = 0; index < count; ++index) {
                auto one = [=] {
                    blockIdx = {x, y};
                    threadIdx = {index % threads.x, index / threads.x};
                    kernel();
                };
                if (together)
                    block.emplace_back(one);
                else
                    one();
            }
    for (auto &thread : block) thread.join();
    pthread_barrier_destroy(&barrier);
}

#include "crop_kernel.inc"
#include "decode_kernel.inc"
#include "stage_kernel.inc"
