/* Gates in the order input, forget, cell, output; the memory behind the state. */
static void cell_LSTM(uint_fast16_t hidden, const value_t *x, const value_t *u,
                      value_t *state)
{
    for (uint_fast16_t i = 0U; i < hidden; ++i) {
        const uint_fast16_t j = hidden + i;
        const uint_fast16_t k = hidden + j;
        const uint_fast16_t l = hidden + k;
        const value_t kept = sigmoid_of(x[j] + u[j]) * state[j];
        state[j] = kept + (sigmoid_of(x[i] + u[i]) * tanh_of(x[k] + u[k]));
        state[i] = sigmoid_of(x[l] + u[l]) * tanh_of(state[j]);
    }
}
