/* delta8: eight bits of distance from each weight to the next. */
APART_LANES static void run_delta8_LANES(uint_fast16_t n BOOK_TAKEN, const uint8_t *index,
                                         STREAM_weight, const value_t *x,
                                         sum_t *sums)
{
    START_LANES;
    do {
        x += READ_U8(index);
        TAKE_LANES(READ_WEIGHT(weight), x);
        ++index;
        ++weight;
    } while (--n > 0U);
    STOP_LANES;
}

static void rows_delta8_LANES(const affine_t *a, const cursor_t *at, cursor_t *end,
                              const value_t *x, value_t *y TARGET_LANES)
{
    const uint8_t *count = at->count;
    const uint8_t *index = at->index;
    STREAM_weight = at->weight;
    const uint_fast16_t last = at->row + a->rows;
    (void)offset;
    for (uint_fast16_t row = at->row; row < last; ++row) {
        const uint_fast16_t n = READ_U8(count) + (256U * READ_U8(&count[1]));
        FILL_LANES(READ_SUM(&a->bias[row]));
        if (n > 0U) {
            run_delta8_LANES(n BOOK_GIVEN, index, weight, x, sums);
        }
        count += 2;
        index += n;
        weight += n;
        GIVE_LANES;
    }
    end->count = count;
    end->index = index;
    end->weight = weight;
    end->row = last;
}
