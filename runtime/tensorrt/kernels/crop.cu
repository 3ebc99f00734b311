// The crop as one kernel: HxWx3 uint8 BGR, or (3H/2)xW uint8 NV12, in; 1x3xSxS float32 BGR out.
#include <cuda_runtime.h>

#include "crop.h"

static __global__ void crop(const uint8_t *frame, int width, int height, int is_nv12, const siamtrt_square *square,
                            float *out, int out_px)
{
    int column = blockIdx.x * blockDim.x + threadIdx.x, row = blockIdx.y * blockDim.y + threadIdx.y;
    if (column >= out_px || row >= out_px) return;
    siamtrt_square here = *square;
    for (int channel = 0; channel < 3; ++channel)
        out[((int64_t)channel * out_px + row) * out_px + column] =
            siamtrt_crop_value(frame, width, height, is_nv12, &here, channel, column, row);
}

// Enqueue one crop on a stream; returns a cudaError_t.
extern "C" int siamtrt_crop(const uint8_t *frame, int width, int height, int is_nv12, const siamtrt_square *square,
                            float *out, int out_px, void *stream)
{
    dim3 threads(32, 8), blocks((out_px + 31) / 32, (out_px + 7) / 8);
    crop<<<blocks, threads, 0, static_cast<cudaStream_t>(stream)>>>(frame, width, height, is_nv12, square, out, out_px);
    return static_cast<int>(cudaGetLastError());
}
