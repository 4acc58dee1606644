/* dense: every weight, row after row. */
APART_LANES static void run_dense_LANES(uint_fast16_t n TABLE_LANES BOOK_TAKEN,
                                        STREAM_weight, const value_t *x, sum_t *sums)
{
    START_LANES;
    do {
        TAKE_LANES(READ_WEIGHT(weight), NEXT_LANES(x));
        ++weight;
    } while (--n > 0U);
    STOP_LANES;
}

static void rows_dense_LANES(const affine_t *a, const cursor_t *at, cursor_t *end,
                             const value_t *x, value_t *y TARGET_LANES)
{
    STREAM_weight = at->weight;
    const uint_fast16_t last = at->row + a->rows;
    for (uint_fast16_t row = at->row; row < last; ++row) {
        FILL_LANES(READ_SUM(&a->bias[row]));
        run_dense_LANES(a->columns PASS_LANES BOOK_GIVEN, weight, x, sums);
        weight += a->columns;
        GIVE_LANES;
    }
    end->weight = weight;
    end->row = last;
}
