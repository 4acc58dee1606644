/* The square root of x > 0: x = s^2 v with v from 1 to 4, then Heron's rule, which doubles
   the digits each time. */
static value_t root(value_t x)
{
    value_t v = x;
    value_t s = 1.0F;
    for (uint_fast8_t n = 0U; n < 75U; ++n) { /* as many as the smallest number needs */
        if (v > 4.0F) {
            v *= 0.25F;
            s *= 2.0F;
        } else if (v < 1.0F) {
            v *= 4.0F;
            s *= 0.5F;
        } else {
            break;
        }
    }
    value_t y = 0.5F + (0.5F * v);
    for (uint_fast8_t n = 0U; n < 4U; ++n) {
        y = 0.5F * (y + (v / y));
    }
    return s * y;
}

/* A sample brought to mean 0 and variance 1, then scaled and shifted. */
static void norm(const norm_t *n, const value_t *x, value_t *y)
{
    const value_t size = (value_t)n->size;
    value_t sum = 0.0F;
    value_t squares = 0.0F;
    for (uint_fast16_t i = 0U; i < n->size; ++i) {
        sum += x[i];
    }
    const value_t middle = sum / size;
    for (uint_fast16_t i = 0U; i < n->size; ++i) {
        const value_t off = x[i] - middle;
        squares += off * off;
    }
    const value_t inverse = 1.0F / root((squares / size) + n->eps);
    for (uint_fast16_t i = 0U; i < n->size; ++i) {
        y[i] = ((x[i] - middle) * inverse * READ_VALUE(&n->weight[i])) +
               READ_VALUE(&n->bias[i]);
    }
}
