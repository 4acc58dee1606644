/* What a window sees at a place that may lie on the border around the plane. */
static value_t look(const window_t *w, const value_t *plane, int_fast16_t row,
                    int_fast16_t column)
{
    const bool inside = (row >= 0) && (row < (int_fast16_t)w->height) && (column >= 0) &&
                       (column < (int_fast16_t)w->width);
    return inside ? plane[(row * (int_fast16_t)w->width) + column] : w->border;
}
