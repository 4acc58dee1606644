static void add(const add_t *t, const value_t *left, const value_t *right, value_t *y)
{
    for (uint_fast16_t i = 0U; i < t->size; ++i) {
        y[i] = bounded(left[i] + right[i], t->low, t->high);
    }
}
