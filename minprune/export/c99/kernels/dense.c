/* dense: every weight, row after row. */
APART_LANES static const value_t *run_dense_LANES(uint_fast16_t n, const value_t *weight,
                                                  const value_t *x, sum_t *sums TABLE_LANES)
{
    START_LANES;
    do {
        TAKE_LANES(READ_VALUE(weight), NEXT_LANES(x));
        ++weight;
    } while (--n > 0U);
    STOP_LANES;
    return weight;
}

static void rows_dense_LANES(const affine_t *a, const cursor_t *at, cursor_t *end,
                             const value_t *x, value_t *y TARGET_LANES)
{
    const value_t *weight = at->weight;
    const uint_fast16_t last = at->row + a->rows;
    for (uint_fast16_t row = at->row; row < last; ++row) {
        FILL_LANES(READ_SUM(&a->bias[row]));
        weight = run_dense_LANES(a->columns, weight, x, sums PASS_LANES);
        GIVE_LANES;
    }
    end->weight = weight;
    end->row = last;
}
