/* The mean over a window, with real zeros on the border. */
static void pool_mean(const pool_t *p, const value_t *x, value_t *y)
{
    const window_t *const w = &p->window;
    for (uint_fast16_t c = w->channels; c > 0U; --c) {
        for (uint_fast16_t row = 0U; row < w->out_height; ++row) {
            for (uint_fast16_t column = 0U; column < w->out_width; ++column) {
                const int_fast16_t top = (int_fast16_t)(row * w->stride_rows) - w->top;
                const int_fast16_t left =
                    (int_fast16_t)(column * w->stride_columns) - w->left;
                sum_t sum = 0;
                for (int_fast16_t i = 0; i < w->rows; ++i) {
                    for (int_fast16_t j = 0; j < w->columns; ++j) {
                        sum += look(w, x, top + i, left + j);
                    }
                }
                *y++ = (value_t)bounded(mean(sum, w->rows * w->columns), p->low,
                                        p->high);
            }
        }
        x += w->plane;
    }
}
