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

/* How many of them a frame takes. */
SIAMTRT_INLINE int64_t siamtrt_words(int width, int height, int is_nv12)
{
    int64_t pixels = (int64_t)width * height, size = is_nv12 ? pixels / 2 * 3 : pixels * 3;
    return (size + (int64_t)sizeof(siamtrt_word) - 1) / (int64_t)sizeof(siamtrt_word);
}

/* Whether a byte from `first` to `last` lies in the rows from `top` to before `low` and, in its row, in the bytes from
   `left` to before `right`. */
SIAMTRT_INLINE int siamtrt_touches(int64_t first, int64_t last, int64_t row_bytes, int64_t top, int64_t low,
                                   int64_t left, int64_t right)
{
    int64_t top_row = first / row_bytes, low_row = last / row_bytes;
    if (low_row < top || top_row >= low) return 0;
    if (top_row != low_row) return 1;
    return last - top_row * row_bytes >= left && first - top_row * row_bytes < right;
}

/* Whether the word at `index` of a frame has a byte that a crop of the square reads. */
SIAMTRT_INLINE int siamtrt_is_read(int width, int height, int is_nv12, const siamtrt_square *square, int64_t index)
{
    int64_t first = index * (int64_t)sizeof(siamtrt_word), last = first + (int64_t)sizeof(siamtrt_word) - 1;
    int64_t left = square->left, right = left + square->side, top = square->top, low = top + square->side;
    if (!is_nv12) return siamtrt_touches(first, last, (int64_t)width * 3, top, low, left * 3, right * 3);
    int64_t plane = (int64_t)width * height; /* of brightness; that of colours follows, a pair of bytes for 2x2 pixels */
    if (siamtrt_touches(first, last, width, top, low < height ? low : height, left, right)) return 1;
    if (last < plane) return 0;
    first = first < plane ? 0 : first - plane;
    return siamtrt_touches(first, last - plane, width, top >> 1, (low + 1) >> 1, left & ~1LL, right + (right & 1));
}

#endif
