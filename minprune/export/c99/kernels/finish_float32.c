/* Finished sums of a row, within the bounds of the activation. */
static void finish(const affine_t *a, uint_fast16_t row, const sum_t *sums,
                   value_t *restrict y, uint_fast16_t count)
{
    (void)row;
    do {
        *y = bounded(*sums, a->low, a->high);
        ++sums;
        ++y;
    } while (--count > 0U);
}
