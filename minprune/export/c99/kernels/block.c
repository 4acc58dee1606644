/* ENCODING: blocks of TALL rows and WIDE columns. For each row of blocks and each 256
   columns of blocks a count, then that many 8-bit columns of blocks, which the rows of a
   block share; weights row after row. */
APART_LANES static void rows_ENCODING_LANES(const affine_t *a, const cursor_t *at,
                                      cursor_t *end, const value_t *x,
                                      value_t *y TARGET_LANES)
{
    cursor_t start = *at; /* of the row of blocks */
    const value_t *weight = at->weight;
    const uint_fast16_t last = at->row + a->rows;
    uint_fast8_t same = TALLU; /* rows of this row of blocks, still to come */
    for (uint_fast16_t row = at->row; row < last; ++row) {
        const uint8_t *count = start.count;
        const uint8_t *index = start.index;
        const value_t *part = x;
        uint_fast16_t rest = a->columns;
        SUMS_LANES(READ_SUM(&a->bias[row]));
        for (;;) {
            for (uint_fast16_t n = READ_U8(count); n > 0U; --n) {
                const uint_fast16_t first = READ_U8(index) * WIDEU;
                const value_t *seen = &part[first * LANESU];
                uint_fast16_t wide = EXTENT;
                do {
                    TAKE_LANES(READ_VALUE(weight), seen);
                    ++weight;
                    seen += LANES;
                } while (--wide > 0U);
                ++index;
            }
            ++count;
            if (rest <= 256U * WIDEU) {
                break;
            }
            rest -= 256U * WIDEU;
            part += 256U * WIDEU * LANESU;
        }
        PUT_LANES;
        --same;
        if (same == 0U) {
            same = TALLU;
            start.count = count;
            start.index = index;
        }
    }
    end->count = start.count;
    end->index = start.index;
    end->weight = weight;
    end->row = last;
}
