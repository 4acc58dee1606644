/* A convolution, four output positions at a time; group after group. Every position of
   a group starts where the group does and ends where the next one starts. */
static void conv_ENCODING(const conv_t *c, const value_t *x, value_t *y,
                          value_t *patch)
{
    cursor_t at[2] = {{c->affine.count, c->affine.index, c->affine.weight, 0U},
                      {c->affine.count, c->affine.index, c->affine.weight, 0U}};
    for (uint_fast16_t g = 0U; g < c->groups; ++g) {
        for (uint_fast16_t p = 0U; p < c->out_plane; p += 4U) {
            const uint_fast16_t rest = c->out_plane - p;
            gather(&c->window, x, patch, p);
            rows_ENCODING_4(&c->affine, &at[g & 1U], &at[(g + 1U) & 1U], patch, &y[p],
                            c->out_plane, (rest < 4U) ? rest : 4U);
        }
        x += (size_t)c->window.channels * c->window.plane;
        y += (size_t)c->affine.rows * c->out_plane;
    }
}
