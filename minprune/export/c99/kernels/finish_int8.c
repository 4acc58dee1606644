/* Finished sums of a row as levels of the output. */
static void finish(const affine_t *a, uint_fast16_t row, const sum_t *sums,
                   value_t *restrict y, uint_fast16_t count)
{
    const uint_fast16_t i = (a->by_row != 0U) ? row : 0U;
    const int32_t multiplier = READ_I32(&a->multiplier[i]);
    const int_fast8_t exponent = READ_I8(&a->exponent[i]);
    do {
        const int32_t level = rescale(*sums, multiplier, exponent) + a->zero;
        *y = (value_t)bounded(level, a->low, a->high);
        ++sums;
        ++y;
    } while (--count > 0U);
}
