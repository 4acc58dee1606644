/* nm16: the same even number of weights in every 16 columns; two 4-bit columns a byte. */
APART_LANES static void rows_nm16_LANES(const affine_t *a, const cursor_t *at,
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
        for (uint_fast16_t first = 0U; first < a->columns; first += 16U) {
            for (uint_fast16_t n = READ_U8(at->count); n > 0U; n -= 2U) {
                const uint_fast8_t two = READ_U8(index);
                TAKE_LANES(READ_WEIGHT(weight), &AT_LANES(two & 15U));
                ++weight;
                TAKE_LANES(READ_WEIGHT(weight), &AT_LANES(two >> 4U));
                ++weight;
                ++index;
            }
            part += 16U;
        }
        STOP_LANES;
        GIVE_LANES;
    }
    end->count = at->count;
    end->index = index;
    end->weight = weight;
    end->row = last;
}
