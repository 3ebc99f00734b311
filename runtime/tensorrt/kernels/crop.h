/* One value of a crop: border, bilinear scaling, uint8 to float. Plain C, so that it also compiles for the CPU. */
#ifndef SIAMTRT_CROP_H
#define SIAMTRT_CROP_H

#include <math.h>
#include <stdint.h>

#include "inline.h"
#include "nv12.h"

/* What to cut; read by every launch, so that a captured graph crops where the host says now. Frame pixels. */
typedef struct {
    int32_t left, top, side;
    int32_t fill[3];
    double step; /* side over the side of the crop; a division here would be slow on GPUs with few FP64 units */
} siamtrt_square;

typedef struct {
    int low, high;
    int low_share, high_share; /* of 2048 */
} siamtrt_tap;

/* The two source pixels of one output pixel and their weights, in the fixed point of cv2.resize: half-pixel centres,
   weights of 11 bits, the position rounded from a double. At the border both taps are the border pixel; cv2.resize
   then gives a column's whole weight to one of them, but splits a row's, which rounds differently. */
SIAMTRT_INLINE siamtrt_tap siamtrt_tap_at(int out, int side, double step, int is_row)
{
    float at = (float)(((double)out + 0.5) * step - 0.5);
    int low = (int)floorf(at);
    float share = at - (float)low;
    if (!is_row && (low < 0 || low >= side - 1)) share = 0.0f;
    siamtrt_tap tap;
    tap.low = low < 0 ? 0 : low < side ? low : side - 1;
    tap.high = low + 1 < 0 ? 0 : low + 1 < side ? low + 1 : side - 1;
    tap.low_share = (int)rintf((1.0f - share) * 2048.0f);
    tap.high_share = (int)rintf(share * 2048.0f);
    return tap;
}

SIAMTRT_INLINE int siamtrt_pixel(const uint8_t *frame, int width, int height, int is_nv12, int x, int y, int channel,
                                 int fill)
{
    if (x < 0 || y < 0 || x >= width || y >= height) return fill;
    if (is_nv12) return siamtrt_nv12_value(frame, width, height, x, y, channel);
    return frame[((int64_t)y * width + x) * 3 + channel];
}

/* The value at (column, row) of one channel of the crop, a whole number 0..255. */
SIAMTRT_INLINE float siamtrt_crop_value(const uint8_t *frame, int width, int height, int is_nv12,
                                        const siamtrt_square *square, int channel, int column, int row)
{
    siamtrt_tap x = siamtrt_tap_at(column, square->side, square->step, 0);
    siamtrt_tap y = siamtrt_tap_at(row, square->side, square->step, 1);
    int left = square->left, top = square->top, fill = square->fill[channel];
    int a = siamtrt_pixel(frame, width, height, is_nv12, left + x.low, top + y.low, channel, fill);
    int b = siamtrt_pixel(frame, width, height, is_nv12, left + x.high, top + y.low, channel, fill);
    int c = siamtrt_pixel(frame, width, height, is_nv12, left + x.low, top + y.high, channel, fill);
    int d = siamtrt_pixel(frame, width, height, is_nv12, left + x.high, top + y.high, channel, fill);
    int upper = a * x.low_share + b * x.high_share, lower = c * x.low_share + d * x.high_share;
    return (float)((((y.low_share * (upper >> 4)) >> 16) + ((y.high_share * (lower >> 4)) >> 16) + 2) >> 2);
}

#endif
