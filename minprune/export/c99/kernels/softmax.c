/* Along the channels, at each place of the plane. */
static void softmax(const value_t *x, value_t *y, uint_fast16_t channels,
                    uint_fast16_t plane)
{
    for (uint_fast16_t p = 0U; p < plane; ++p) {
        value_t largest = x[p];
        value_t sum = 0.0F;
        for (uint_fast16_t c = 1U; c < channels; ++c) {
            const value_t seen = x[(c * plane) + p];
            largest = (seen > largest) ? seen : largest;
        }
        for (uint_fast16_t c = 0U; c < channels; ++c) {
            const value_t e = exponential(x[(c * plane) + p] - largest);
            y[(c * plane) + p] = e;
            sum += e;
        }
        for (uint_fast16_t c = 0U; c < channels; ++c) {
            y[(c * plane) + p] /= sum;
        }
    }
}
