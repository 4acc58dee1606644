/* The inputs of four output positions, interleaved: tap after tap, four values each. */
static void gather(const window_t *w, const value_t *x, value_t *patch,
                   uint_fast16_t position)
{
    for (uint_fast8_t lane = 0U; lane < 4U; ++lane) {
        const uint_fast16_t at = position + lane;
        const int_fast16_t top =
            (int_fast16_t)(at / w->out_width * w->stride_rows) - w->top;
        const int_fast16_t left =
            (int_fast16_t)(at % w->out_width * w->stride_columns) - w->left;
        const value_t *plane = x;
        value_t *to = &patch[lane];
        for (uint_fast16_t c = w->channels; c > 0U; --c) {
            int_fast16_t row = top;
            for (uint_fast16_t i = w->rows; i > 0U; --i) {
                int_fast16_t column = left;
                for (uint_fast16_t j = w->columns; j > 0U; --j) {
                    *to = look(w, plane, row, column);
                    to += 4;
                    column += w->dilation_columns;
                }
                row += w->dilation_rows;
            }
            plane += w->plane;
        }
    }
}
