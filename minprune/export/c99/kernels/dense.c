/* dense: every weight, row after row. */
APART_LANES static void rows_dense_LANES(const affine_t *a, const cursor_t *at,
                                   cursor_t *end, const value_t *x,
                                   value_t *y TARGET_LANES)
{
    const value_t *weight = at->weight;
    const uint_fast16_t last = at->row + a->rows;
    for (uint_fast16_t row = at->row; row < last; ++row) {
        const value_t *part = x;
        SUMS_LANES(READ_SUM(&a->bias[row]));
        uint_fast16_t n = a->columns;
        do {
            TAKE_LANES(READ_VALUE(weight), part);
            ++weight;
            part += LANES;
        } while (--n > 0U);
        PUT_LANES;
    }
    end->weight = weight;
    end->row = last;
}
