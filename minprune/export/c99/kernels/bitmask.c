/* bitmask: a bit for each column, the first in the lowest. */
APART_LANES static void rows_bitmask_LANES(const affine_t *a, const cursor_t *at,
                                     cursor_t *end, const value_t *x,
                                     value_t *y TARGET_LANES)
{
    const uint8_t *index = at->index;
    STREAM_weight = at->weight;
    const uint_fast16_t last = at->row + a->rows;
    for (uint_fast16_t row = at->row; row < last; ++row) {
        PART_LANES;
        FILL_LANES(READ_SUM(&a->bias[row]));
        START_LANES;
        for (uint_fast16_t first = 0U; first < a->columns; first += 8U) {
            uint_fast16_t column = first;
            for (uint_fast8_t bits = READ_U8(index); bits != 0U; bits >>= 1U) {
                if ((bits & 1U) != 0U) {
                    TAKE_LANES(READ_WEIGHT(weight), &AT_LANES(column));
                    ++weight;
                }
                ++column;
            }
            ++index;
        }
        STOP_LANES;
        GIVE_LANES;
    }
    end->index = index;
    end->weight = weight;
    end->row = last;
}
