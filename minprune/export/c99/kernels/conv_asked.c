/* A convolution with every weight, but a kernel of the vendor is asked first. */
static void conv_asked_LANES(const conv_t *c, const value_t *x, value_t *y,
                             value_t *seen)
{
#ifdef HOOK_CONV
    if (HOOK_CONV(c, x, y)) {
        return;
    }
#endif
    conv_dense_LANES(c, x, y, seen);
}
