/* A convolution, LANES positions of a row of the output at a time; group after group.
   All positions of a group start where the group does and end where the next one
   starts. */
static void conv_ENCODING_LANES(const conv_t *c, const value_t *x, value_t *y,
                                value_t *seen)
{
    const window_t *const w = &c->window;
    cursor_t at[2] = {{c->affine.count, c->affine.index, FIRST_CONV, 0U},
                      {c->affine.count, c->affine.index, FIRST_CONV, 0U}};
    for (uint_fast16_t g = 0U; g < c->groups; ++g) {
        value_t *to = y;
        for (uint_fast16_t row = 0U; row < w->out_height; ++row) {
            for (uint_fast16_t column = 0U; column < w->out_width; column += LANESU) {
                const uint_fast16_t rest = w->out_width - column;
                strip(c, x, seen, row, column);
                rows_ENCODING_LANES(&c->affine, &at[g & 1U], &at[(g + 1U) & 1U], seen,
                                    &to[column], c->offset, c->out_plane,
                                    (rest < LANESU) ? rest : LANESU);
            }
            to += w->out_width;
        }
        x += (size_t)w->channels * w->plane;
        y += (size_t)c->affine.rows * c->out_plane;
    }
}
