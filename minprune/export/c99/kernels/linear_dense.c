/* As the other products, but a kernel of the vendor is asked first. */
static void linear_dense(const affine_t *a, const value_t *x, value_t *y)
{
#ifdef HOOK_DENSE
    if (HOOK_DENSE(a, x, y)) {
        return;
    }
#endif
    cursor_t at = {a->count, a->index, a->weight, 0U};
    rows_dense_1(a, &at, &at, x, y);
}
