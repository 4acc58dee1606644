/* A finished sum as a level of the output. */
static value_t finish(const affine_t *a, uint_fast16_t row, sum_t sum)
{
    const uint_fast16_t i = (a->by_row != 0U) ? row : 0U;
    const int32_t level = rescale(sum, READ_I32(&a->multiplier[i]), READ_I8(&a->exponent[i])) +
                          a->zero;
    return (value_t)bounded(level, a->low, a->high);
}
