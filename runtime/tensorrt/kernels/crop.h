/* One value of a crop: border, bilinear scaling, uint8 to float. Plain C, so that it also compiles for the CPU. */
#ifndef SIAMTRT_CROP_H
#define SIAMTRT_CROP_H

#include <math.h>
#include <stdint.h>

#ifdef __CUDACC__
#define SIAMTRT_INLINE __host__ __device__ __forceinline__
#else
#define SIAMTRT_INLINE static inline
#endif

/* What to cut; read by every launch, so that a captured graph crops where the host says now. Frame pixels. */
typedef struct {
    int32_t left, top, side;
    int32_t fill[3];
} siamtrt_square;

typedef struct {
    int low, high;
    float share; /* of the pixel at high */
} siamtrt_tap;

/* The two source pixels of one output pixel, as cv2.resize chooses them: half-pixel centres, clamped to the square. */
SIAMTRT_INLINE siamtrt_tap siamtrt_tap_at(int out, int side, int out_px)
{
    float at = ((float)out + 0.5f) * ((float)side / (float)out_px) - 0.5f;
    siamtrt_tap tap;
    tap.low = (int)floorf(at);
    tap.share = at - (float)tap.low;
    if (tap.low < 0) { tap.low = 0; tap.share = 0.0f; }
    if (tap.low >= side - 1) { tap.low = side - 1; tap.share = 0.0f; }
    tap.high = tap.low + 1 < side ? tap.low + 1 : tap.low;
    return tap;
}

SIAMTRT_INLINE float siamtrt_pixel(const uint8_t *frame, int width, int height, int x, int y, int channel, int fill)
{
    if (x < 0 || y < 0 || x >= width || y >= height) return (float)fill;
    return (float)frame[((int64_t)y * width + x) * 3 + channel];
}

/* The value at (column, row) of one channel of the crop, a whole number 0..255. */
SIAMTRT_INLINE float siamtrt_crop_value(const uint8_t *frame, int width, int height, const siamtrt_square *square,
                                        int out_px, int channel, int column, int row)
{
    siamtrt_tap x = siamtrt_tap_at(column, square->side, out_px), y = siamtrt_tap_at(row, square->side, out_px);
    int left = square->left, top = square->top, fill = square->fill[channel];
    float a = siamtrt_pixel(frame, width, height, left + x.low, top + y.low, channel, fill);
    float b = siamtrt_pixel(frame, width, height, left + x.high, top + y.low, channel, fill);
    float c = siamtrt_pixel(frame, width, height, left + x.low, top + y.high, channel, fill);
    float d = siamtrt_pixel(frame, width, height, left + x.high, top + y.high, channel, fill);
    float upper = a + (b - a) * x.share, lower = c + (d - c) * x.share;
    return floorf(upper + (lower - upper) * y.share + 0.5f);
}

#endif
