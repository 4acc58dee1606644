/* e^x for x <= 0 is scale * (1 + part). With x = r - n ln 2 and |r| <= ln(2) / 2, scale is
   2^-n and part is e^r - 1 by its series, whose first term left out is below 3e-9. Below
   -87 the answer is taken for zero; what is no number stays none. */
static value_t exponential_part(value_t x, value_t *scale)
{
    value_t part = (x < 0.0F) ? 0.0F : x;
    *scale = 0.0F;
    if (x > -87.0F) {
        const value_t near = 0.5F - (x * 1.44269502F);
        uint_fast8_t n = (uint_fast8_t)near;
        const value_t turns = (value_t)n;
        /* ln 2 in two parts, of which the first has few bits: its multiples are exact. */
        const value_t r = (x + (turns * 0.693359375F)) - (turns * 2.12194442e-4F);
        value_t series = 1.0F / 5040.0F;
        series = (series * r) + (1.0F / 720.0F);
        series = (series * r) + (1.0F / 120.0F);
        series = (series * r) + (1.0F / 24.0F);
        series = (series * r) + (1.0F / 6.0F);
        series = (series * r) + 0.5F;
        part = r + ((r * r) * series);
        *scale = 1.0F;
        value_t half = 0.5F; /* 2^-1, 2^-2, 2^-4, ... */
        while (n > 0U) {
            *scale *= ((n & 1U) != 0U) ? half : 1.0F;
            half *= half;
            n >>= 1U;
        }
    }
    return part;
}

/* e^x for x <= 0. */
static value_t exponential(value_t x)
{
    value_t scale;
    const value_t part = exponential_part(x, &scale);
    return (scale * part) + scale;
}
