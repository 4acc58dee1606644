/* Values moved, or kept where they are, within bounds. */
static void copy(const value_t *x, value_t *y, uint_fast16_t size, sum_t low, sum_t high)
{
    for (uint_fast16_t i = 0U; i < size; ++i) {
        y[i] = (value_t)bounded(x[i], low, high);
    }
}
