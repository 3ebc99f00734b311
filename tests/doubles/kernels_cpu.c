/* The kernels' arithmetic on the CPU, behind the kernels' own interface. */
#include "crop.h"
#include "decode.h"
#include "stage.h"

int siamtrt_crop(const uint8_t *frame, int width, int height, int is_nv12, const siamtrt_square *square, float *out,
                 int out_px, void *stream)
{
    (void)stream;
    for (int channel = 0; channel < 3; ++channel)
        for (int row = 0; row < out_px; ++row)
            for (int column = 0; column < out_px; ++column)
                out[(channel * out_px + row) * out_px + column] =
                    siamtrt_crop_value(frame, width, height, is_nv12, square, channel, column, row);
    return 0;
}

int siamtrt_stage(const uint8_t *frame, int width, int height, int is_nv12, const siamtrt_square *square,
                  uint8_t *staged, void *stream)
{
    (void)stream;
    for (int64_t index = 0; index < siamtrt_words(width, height, is_nv12); ++index)
        if (siamtrt_is_read(width, height, is_nv12, square, index))
            ((siamtrt_word *)staged)[index] = ((const siamtrt_word *)frame)[index];
    return 0;
}

int siamtrt_decode(const siamtrt_maps *maps, const siamtrt_last *last, siamtrt_found *found, void *stream)
{
    (void)stream;
    siamtrt_choice best = siamtrt_choice_of(maps, last, maps->count - 1);
    for (int index = maps->count - 2; index >= 0; --index) /* backwards: the order must not matter */
        best = siamtrt_better(best, siamtrt_choice_of(maps, last, index));
    *found = siamtrt_answer(maps, last, best);
    return 0;
}
