/* How the kernels' arithmetic is declared: plain C on the CPU, device code under nvcc. */
#ifndef SIAMTRT_INLINE_H
#define SIAMTRT_INLINE_H

#ifdef __CUDACC__
#define SIAMTRT_INLINE __host__ __device__ __forceinline__
#else
#define SIAMTRT_INLINE static inline
#endif

#endif
