/* seg8: for each row and each 256 columns a count, then that many 8-bit columns. */
static void rows_seg8_LANES(const affine_t *a, const cursor_t *at, cursor_t *end,
                            const value_t *x, value_t *y TARGET_LANES)
{
    const uint8_t *count = at->count;
    const uint8_t *index = at->index;
    const value_t *weight = at->weight;
    const uint_fast16_t last = at->row + a->rows;
    for (uint_fast16_t row = at->row; row < last; ++row) {
        SUMS_LANES(a->bias[row]);
        for (uint_fast16_t first = 0U; first < a->columns; first += 256U) {
            const value_t *part = &x[first * LANES];
            for (uint_fast16_t n = *count++; n > 0U; --n) {
                TAKE_LANES(*weight++, &part[*index++ * LANES]);
            }
        }
        PUT_LANES;
    }
    end->count = count;
    end->index = index;
    end->weight = weight;
    end->row = last;
}
