/* Both sides to one fine scale, then to the scale of the result. */
static void add(const add_t *t, const value_t *left, const value_t *right, value_t *y)
{
    for (uint_fast16_t i = 0U; i < t->size; ++i) {
        const int32_t l = ((int32_t)left[i] - t->zero[0]) * (int32_t)ADD_RAISE;
        const int32_t r = ((int32_t)right[i] - t->zero[1]) * (int32_t)ADD_RAISE;
        const int32_t sum = rescale(l, t->multiplier[0], t->exponent[0]) +
                            rescale(r, t->multiplier[1], t->exponent[1]);
        const int32_t level = rescale(sum, t->multiplier[2], t->exponent[2]);
        y[i] = (value_t)bounded(level + t->zero[2], t->low, t->high);
    }
}
