/* Which words of a frame a crop reads. Plain C, so that it also compiles for the CPU. */
#ifndef SIAMTRT_STAGE_H
#define SIAMTRT_STAGE_H

#include <stdint.h>

#include "crop.h"
#include "inline.h"

/* 16 bytes, the most that a thread loads at once; a frame's memory ends at a multiple of them. */
typedef struct {
    uint32_t parts[4];
} __attribute__((aligned(16))) siamtrt_word;

/* Whether the word at `index` of a frame of `width` pixels has a byte inside the square. */
SIAMTRT_INLINE int siamtrt_is_read(int width, const siamtrt_square *square, int64_t index)
{
    int64_t row_bytes = (int64_t)width * 3, first = index * (int64_t)sizeof(siamtrt_word);
    int64_t last = first + (int64_t)sizeof(siamtrt_word) - 1;
    int64_t top_row = first / row_bytes, low_row = last / row_bytes;
    if (low_row < square->top || top_row >= (int64_t)square->top + square->side) return 0;
    if (top_row != low_row) return 1;
    return last - top_row * row_bytes >= (int64_t)square->left * 3 &&
           first - top_row * row_bytes < ((int64_t)square->left + square->side) * 3;
}

#endif
