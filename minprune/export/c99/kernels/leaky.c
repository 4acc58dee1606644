static void leaky(const value_t *x, value_t *y, uint_fast16_t size, value_t slope)
{
    for (uint_fast16_t i = 0U; i < size; ++i) {
        y[i] = (x[i] > 0.0F) ? x[i] : (x[i] * slope);
    }
}
