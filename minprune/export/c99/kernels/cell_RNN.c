static void cell_RNN(uint_fast16_t hidden, const value_t *x, const value_t *u,
                     value_t *state)
{
    for (uint_fast16_t i = 0U; i < hidden; ++i) {
        state[i] = tanh_of(x[i] + u[i]);
    }
}
