/* A row of the table for each symbol; false if a symbol has none. */
static bool embed(const value_t *table, uint_fast16_t symbols, uint_fast16_t features,
                  const value_t *x, value_t *y, uint_fast16_t length)
{
    for (uint_fast16_t t = 0U; t < length; ++t) {
        if (!((x[t] >= 0.0F) && (x[t] < (value_t)symbols))) {
            return false;
        }
        const uint_fast16_t symbol = (uint_fast16_t)x[t];
        if ((value_t)symbol < x[t]) {
            return false;
        }
        for (uint_fast16_t d = 0U; d < features; ++d) {
            y[(d * length) + t] = READ_VALUE(&table[((size_t)symbol * features) + d]);
        }
    }
    return true;
}
