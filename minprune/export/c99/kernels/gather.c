/* The inputs of four output positions, interleaved: tap after tap, four values each.
   The rows and columns of the window that lie inside the plane are found first. If that
   is all of them, taps are copied line by line; else what is outside is the border. */
static void gather(const window_t *w, const value_t *x, value_t *patch,
                   uint_fast16_t position)
{
    const int_fast16_t width = w->width;
    const int_fast16_t height = w->height;
    const int_fast16_t reach_rows = (w->rows - 1) * w->dilation_rows;
    const int_fast16_t reach_columns = (w->columns - 1) * w->dilation_columns;
    for (uint_fast8_t lane = 0U; lane < 4U; ++lane) {
        const uint_fast16_t at = position + lane;
        const int_fast16_t top =
            (int_fast16_t)(at / w->out_width * w->stride_rows) - w->top;
        const int_fast16_t left =
            (int_fast16_t)(at % w->out_width * w->stride_columns) - w->left;
        const int inside = (top >= 0) && (left >= 0) && (top + reach_rows < height) &&
                           (left + reach_columns < width);
        const value_t *plane = x;
        value_t *to = &patch[lane];
        for (uint_fast16_t c = w->channels; c > 0U; --c) {
            int_fast16_t row = top;
            for (uint_fast16_t i = w->rows; i > 0U; --i) {
                if (inside) {
                    const value_t *seen = &plane[row * width + left];
                    uint_fast16_t j = w->columns;
                    do {
                        *to = *seen;
                        to += 4;
                        seen += w->dilation_columns;
                    } while (--j > 0U);
                } else {
                    const int within = (row >= 0) && (row < height);
                    int_fast16_t column = left;
                    uint_fast16_t j = w->columns;
                    do {
                        *to = (within && (column >= 0) && (column < width))
                                  ? plane[row * width + column]
                                  : w->border;
                        to += 4;
                        column += w->dilation_columns;
                    } while (--j > 0U);
                }
                row += w->dilation_rows;
            }
            plane += w->plane;
        }
    }
}
