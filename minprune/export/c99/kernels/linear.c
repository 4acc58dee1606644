static void linear_ENCODING(const affine_t *a, const value_t *x, value_t *y)
{
    cursor_t at = {a->count, a->index, FIRST_LINEAR, 0U};
    rows_ENCODING_1(a, &at, &at, x, y);
}
