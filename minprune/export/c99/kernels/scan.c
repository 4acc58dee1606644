/* Along a signal: at each step the input and the state, each through its matrix, then the
   cell. Behind the last step that counts, what goes out is zero. */
static void scan_CELL_INWARD_AROUND(const scan_t *s, const value_t *x, value_t *y,
                                    value_t *work, uint_fast16_t steps)
{
    value_t *const state = work;
    value_t *const in = &state[s->states];
    value_t *const back = &in[s->inward.rows];
    value_t *const seen = &back[s->inward.rows];
    const uint_fast16_t counted = (steps < s->length) ? steps : s->length;
    const uint_fast16_t out = (s->last != 0U) ? 1U : s->length;
    for (uint_fast16_t i = 0U; i < s->states; ++i) {
        state[i] = 0.0F;
    }
    for (uint_fast16_t i = 0U; i < (s->hidden * out); ++i) {
        y[i] = 0.0F;
    }
    for (uint_fast16_t n = 0U; n < counted; ++n) {
        const uint_fast16_t left = counted - 1U - n;
        const uint_fast16_t t = (s->backwards != 0U) ? left : n;
        const uint_fast16_t to = (s->last != 0U) ? 0U : t;
        for (uint_fast16_t i = 0U; i < s->inward.columns; ++i) {
            seen[i] = x[(i * s->length) + t];
        }
        linear_INWARD(&s->inward, seen, in);
        linear_AROUND(&s->around, state, back);
        cell_CELL(s->hidden, in, back, state);
        for (uint_fast16_t i = 0U; i < s->hidden; ++i) {
            y[(i * out) + to] = state[i];
        }
    }
}
