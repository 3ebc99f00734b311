/* Two score maps to the best box, as runtime/decode.py does it. Plain C, so that it also compiles for the CPU. */
#ifndef SIAMTRT_DECODE_H
#define SIAMTRT_DECODE_H

#include <math.h>
#include <stdint.h>

#include "inline.h"

#define SIAMTRT_LARGEST_LOG 20.0f
#define SIAMTRT_SMALLEST_PX 1e-3f

/* What the target was last, in crop pixels; read by every launch, so that a captured graph decodes for the size that
   the host says now. */
typedef struct {
    float width, height;
} siamtrt_last;

/* The maps of one response and what belongs to their cells. `grid` has the planes x, y and, for anchors, width, height;
   `window` is already weighed. Each plane has `count` values. */
typedef struct {
    const float *cls, *loc, *grid;
    const double *window;
    int32_t count, is_points;
    double score_share;
    float penalty_k;
} siamtrt_maps;

/* All that leaves the GPU. Crop pixels around the crop's centre. */
typedef struct {
    float x, y, width, height, score, penalty;
    int32_t index; /* -1: a score or the box is not finite */
} siamtrt_found;

/* In double: where every score is tiny, float would lose it beside the window and choose any cell of the middle. */
typedef struct {
    double worth;
    int32_t index;
} siamtrt_choice;

SIAMTRT_INLINE float siamtrt_size(float width, float height)
{
    float margin = (width + height) * 0.5f;
    return sqrtf((width + margin) * (height + margin));
}

SIAMTRT_INLINE float siamtrt_change(float ratio)
{
    float inverse = 1.0f / ratio;
    return ratio < inverse ? inverse : ratio;
}

/* The comparisons below let a NaN through, since fminf and fmaxf would hide it. */
SIAMTRT_INLINE float siamtrt_grown(float log_of, float anchor)
{
    return expf(log_of > SIAMTRT_LARGEST_LOG ? SIAMTRT_LARGEST_LOG : log_of) * anchor;
}

SIAMTRT_INLINE float siamtrt_length(float from, float to)
{
    float length = to - from;
    return length < SIAMTRT_SMALLEST_PX ? SIAMTRT_SMALLEST_PX : length;
}

/* What one cell proposes. */
SIAMTRT_INLINE siamtrt_found siamtrt_propose(const siamtrt_maps *maps, const siamtrt_last *last, int index)
{
    int count = maps->count;
    const float *loc = maps->loc + index, *grid = maps->grid + index;
    siamtrt_found box;
    if (maps->is_points) {
        float left = grid[0] - loc[0], top = grid[count] - loc[count];
        float right = grid[0] + loc[2 * count], bottom = grid[count] + loc[3 * count];
        box.x = (left + right) / 2.0f;
        box.y = (top + bottom) / 2.0f;
        box.width = siamtrt_length(left, right);
        box.height = siamtrt_length(top, bottom);
    } else {
        box.x = loc[0] * grid[2 * count] + grid[0];
        box.y = loc[count] * grid[3 * count] + grid[count];
        box.width = siamtrt_grown(loc[2 * count], grid[2 * count]);
        box.height = siamtrt_grown(loc[3 * count], grid[3 * count]);
    }
    float scale = siamtrt_change(siamtrt_size(box.width, box.height) / siamtrt_size(last->width, last->height));
    float shape = siamtrt_change((last->width / last->height) / (box.width / box.height));
    box.penalty = expf((1.0f - shape * scale) * maps->penalty_k);
    box.score = 1.0f / (1.0f + expf(maps->cls[index] - maps->cls[count + index]));
    box.index = index;
    return box;
}

/* How much a cell is to be preferred; NaN where a score of the network is no number. */
SIAMTRT_INLINE siamtrt_choice siamtrt_choice_of(const siamtrt_maps *maps, const siamtrt_last *last, int index)
{
    siamtrt_found box = siamtrt_propose(maps, last, index);
    siamtrt_choice choice;
    choice.worth = (double)box.penalty * box.score * maps->score_share + maps->window[index];
    if (!isfinite(maps->cls[index]) || !isfinite(maps->cls[maps->count + index])) choice.worth = nan("");
    choice.index = index;
    return choice;
}

/* The first of the largest, as numpy's argmax; a NaN wins, so that it is found out. */
SIAMTRT_INLINE siamtrt_choice siamtrt_better(siamtrt_choice a, siamtrt_choice b)
{
    if (isnan(a.worth)) return a;
    if (a.worth != b.worth) return a.worth > b.worth ? a : b; /* b where it is a NaN */
    return a.index < b.index ? a : b;
}

/* The answer of a whole response. */
SIAMTRT_INLINE siamtrt_found siamtrt_answer(const siamtrt_maps *maps, const siamtrt_last *last, siamtrt_choice best)
{
    siamtrt_found found = siamtrt_propose(maps, last, best.index);
    if (isnan(best.worth) || !isfinite(found.x) || !isfinite(found.y) || !isfinite(found.width) ||
        !isfinite(found.height))
        found.index = -1;
    return found;
}

#endif
