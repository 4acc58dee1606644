/* The inputs of neighboring positions in a row of the output: a line for each channel and
   each row of the window. The columns of a line are sorted by their remainder when
   divided by the stride, so that what one tap sees at all positions lies side by side.
   Outside of the plane is the border. */
static void strip(const conv_t *c, const value_t *x, value_t *to, uint_fast16_t row,
                  uint_fast16_t column)
{
    const window_t *const w = &c->window;
    const int_fast16_t stride = (int_fast16_t)w->stride_columns;
    const int_fast16_t top =
        ((int_fast16_t)row * (int_fast16_t)w->stride_rows) -
        (int_fast16_t)w->top;
    const int_fast16_t left =
        ((int_fast16_t)column * (int_fast16_t)w->stride_columns) -
        (int_fast16_t)w->left;
    for (uint_fast16_t n = w->channels; n > 0U; --n) {
        int_fast16_t line = top;
        for (uint_fast16_t i = w->rows; i > 0U; --i) {
            const bool inside = (line >= 0) && (line < (int_fast16_t)w->height);
            const int_fast16_t width = inside ? (int_fast16_t)w->width : 0;
            const value_t *const seen = inside ? &x[line * width] : x;
            for (uint_fast16_t phase = 0U; phase < c->phases; ++phase) {
                int_fast16_t at = left + (int_fast16_t)phase;
                const int_fast16_t end = at + ((int_fast16_t)c->length * stride);
                const int_fast16_t stop = (width < end) ? width : end;
                for (; (at < 0) && (at < end); at += stride) {
                    *to = w->border;
                    ++to;
                }
                for (; at < stop; at += stride) {
                    *to = seen[at];
                    ++to;
                }
                for (; at < end; at += stride) {
                    *to = w->border;
                    ++to;
                }
            }
            line += (int_fast16_t)w->dilation_rows;
        }
        x += w->plane;
    }
}
