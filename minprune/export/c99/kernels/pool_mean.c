/* The mean over a window, with real zeros on the border. */
static void pool_mean(const pool_t *p, const value_t *x, value_t *y)
{
    const window_t *const w = &p->window;
    for (uint_fast16_t c = w->channels; c > 0U; --c) {
        for (uint_fast16_t row = 0U; row < w->out_height; ++row) {
            for (uint_fast16_t column = 0U; column < w->out_width; ++column) {
                const int_fast16_t top =
                    ((int_fast16_t)row * (int_fast16_t)w->stride_rows) -
                    (int_fast16_t)w->top;
                const int_fast16_t left =
                    ((int_fast16_t)column * (int_fast16_t)w->stride_columns) -
                    (int_fast16_t)w->left;
                sum_t sum = (sum_t)0;
                for (int_fast16_t i = 0; i < (int_fast16_t)w->rows; ++i) {
                    for (int_fast16_t j = 0; j < (int_fast16_t)w->columns; ++j) {
                        sum += look(w, x, top + i, left + j);
                    }
                }
                const int_fast32_t seen = (int_fast32_t)w->rows * (int_fast32_t)w->columns;
                *y = (value_t)bounded(mean(sum, seen), p->low, p->high);
                ++y;
            }
        }
        x += w->plane;
    }
}
