/* ENCODING: blocks of TALL rows and WIDE columns. For each row of blocks and each 256
   columns of blocks a count, then that many 8-bit columns of blocks, which the rows of a
   block share; weights row after row. */
APART_LANES static void rows_ENCODING_LANES(const affine_t *a, const cursor_t *at,
                                      cursor_t *end, const value_t *x,
                                      value_t *y TARGET_LANES)
{
    const uint8_t *start_count = at->count; /* of the row of blocks */
    const uint8_t *start_index = at->index;
    STREAM_weight = at->weight;
    const uint_fast16_t last = at->row + a->rows;
    uint_fast8_t same = TALLU; /* rows of this row of blocks, still to come */
    for (uint_fast16_t row = at->row; row < last; ++row) {
        const uint8_t *count = start_count;
        const uint8_t *index = start_index;
        PART_LANES;
        uint_fast16_t rest = a->columns;
        FILL_LANES(READ_SUM(&a->bias[row]));
        START_LANES;
        for (;;) {
            uint_fast16_t n = READ_U8(count);
            ++count;
            if (n > 0U) {
                do {
                    const uint_fast16_t first = READ_U8(index) * WIDEU;
                    ++index;
                    TAKES
                    weight += WIDE;
                } while (--n > 0U);
            }
            if (rest <= (256U * WIDEU)) {
                break;
            }
            rest -= 256U * WIDEU;
            part = &part[256U * WIDEU];
        }
        STOP_LANES;
        GIVE_LANES;
        --same;
        if (same == 0U) {
            same = TALLU;
            start_count = count;
            start_index = index;
        }
    }
    end->count = start_count;
    end->index = start_index;
    end->weight = weight;
    end->row = last;
}
