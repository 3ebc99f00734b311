/* The crop kernel's arithmetic on the CPU, behind the kernel's own interface. */
#include "crop.h"

int siamtrt_crop(const uint8_t *frame, int width, int height, const siamtrt_square *square, float *out, int out_px,
                 void *stream)
{
    (void)stream;
    for (int channel = 0; channel < 3; ++channel)
        for (int row = 0; row < out_px; ++row)
            for (int column = 0; column < out_px; ++column)
                out[(channel * out_px + row) * out_px + column] =
                    siamtrt_crop_value(frame, width, height, square, out_px, channel, column, row);
    return 0;
}
