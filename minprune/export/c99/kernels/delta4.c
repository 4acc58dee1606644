/* delta4: four bits of columns left out before each weight; 15 goes on to the next. */
APART_LANES static void rows_delta4_LANES(const affine_t *a, const cursor_t *at,
                                    cursor_t *end, const value_t *x,
                                    value_t *y TARGET_LANES)
{
    const uint8_t *count = at->count;
    const uint8_t *index = at->index;
    STREAM_weight = at->weight;
    const uint_fast16_t last = at->row + a->rows;
    for (uint_fast16_t row = at->row; row < last; ++row) {
        uint_fast16_t column = 0U;
        uint_fast16_t two = 0U; /* nibbles not yet used, below a mark at bit 4 or 8 */
        PART_LANES;
        FILL_LANES(READ_SUM(&a->bias[row]));
        START_LANES;
        for (uint_fast16_t n = READ_U8(count) + (256U * READ_U8(&count[1])); n > 0U; --n) {
            uint_fast8_t gap;
            do {
                if (two <= 1U) {
                    two = 256U | READ_U8(index);
                    ++index;
                }
                gap = (uint_fast8_t)(two & 15U);
                two >>= 4U;
                column += gap;
            } while (gap == 15U);
            TAKE_LANES(READ_WEIGHT(weight), &AT_LANES(column));
            ++weight;
            ++column;
        }
        count += 2;
        STOP_LANES;
        GIVE_LANES;
    }
    end->count = count;
    end->index = index;
    end->weight = weight;
    end->row = last;
}
