/* One pixel of a frame in NV12, converted to BGR. Plain C, so that it also compiles for the CPU. */
#ifndef SIAMTRT_NV12_H
#define SIAMTRT_NV12_H

#include <stdint.h>

#include "inline.h"

/* A channel (0 blue, 1 green, 2 red) of the pixel at (x, y): BT.601 in its limited range, the colour that of the 2x2
   pixels it belongs to, in the fixed point (20 bits) of cv2.cvtColor's COLOR_YUV2BGR_NV12. Width and height are even. */
SIAMTRT_INLINE int siamtrt_nv12_value(const uint8_t *frame, int width, int height, int x, int y, int channel)
{
    const uint8_t *color = frame + ((int64_t)height + y / 2) * width + x / 2 * 2;
    int bright = frame[(int64_t)y * width + x] - 16, u = color[0] - 128, v = color[1] - 128;
    int tint = channel == 0 ? 2116026 * u : channel == 1 ? -409993 * u - 852492 * v : 1673527 * v;
    int value = ((bright < 0 ? 0 : bright) * 1220542 + tint + (1 << 19)) >> 20;
    return value < 0 ? 0 : value > 255 ? 255 : value;
}

#endif
