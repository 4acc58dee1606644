/* Each channel times a number of its own. */
static void gate(const value_t *x, const value_t *by, value_t *y, uint_fast16_t channels,
                 uint_fast16_t plane)
{
    for (uint_fast16_t c = 0U; c < channels; ++c) {
        for (uint_fast16_t p = 0U; p < plane; ++p) {
            y[(c * plane) + p] = x[(c * plane) + p] * by[c];
        }
    }
}
