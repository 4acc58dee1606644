static void each_FUNCTION(const value_t *x, value_t *y, uint_fast16_t size)
{
    for (uint_fast16_t i = 0U; i < size; ++i) {
        y[i] = FUNCTION_of(x[i]);
    }
}
