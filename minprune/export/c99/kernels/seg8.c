/* seg8: for each row and each 256 columns a count, then that many 8-bit columns. */
APART_LANES static void rows_seg8_LANES(const affine_t *a, const cursor_t *at,
                                  cursor_t *end, const value_t *x,
                                  value_t *y TARGET_LANES)
{
    const uint8_t *count = at->count;
    const uint8_t *index = at->index;
    STREAM_weight = at->weight;
    const uint_fast16_t last = at->row + a->rows;
    for (uint_fast16_t row = at->row; row < last; ++row) {
        PART_LANES;
        uint_fast16_t rest = a->columns;
        FILL_LANES(READ_SUM(&a->bias[row]));
        START_LANES;
        for (;;) {
            uint_fast16_t n = READ_U8(count);
            ++count;
            if (n > 0U) { /* a loop that tests at its end is one jump shorter */
                do {
                    TAKE_LANES(READ_WEIGHT(weight), &AT_LANES(READ_U8(index)));
                    ++weight;
                    ++index;
                } while (--n > 0U);
            }
            if (rest <= 256U) {
                break;
            }
            rest -= 256U;
            part = &part[256U];
        }
        STOP_LANES;
        GIVE_LANES;
    }
    end->count = count;
    end->index = index;
    end->weight = weight;
    end->row = last;
}
