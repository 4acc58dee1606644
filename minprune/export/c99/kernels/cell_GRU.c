/* Gates in the order reset, update, new. */
static void cell_GRU(uint_fast16_t hidden, const value_t *x, const value_t *u,
                     value_t *state)
{
    for (uint_fast16_t i = 0U; i < hidden; ++i) {
        const uint_fast16_t j = hidden + i;
        const uint_fast16_t k = hidden + j;
        const value_t r = sigmoid_of(x[i] + u[i]);
        const value_t z = sigmoid_of(x[j] + u[j]);
        const value_t n = tanh_of(x[k] + (r * u[k]));
        state[i] = ((1.0F - z) * n) + (z * state[i]);
    }
}
