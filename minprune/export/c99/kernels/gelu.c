/* x times the probability that a standard normal variable is below x, by the rational
   approximation of erfc, Abramowitz and Stegun 7.1.26: off by at most 1.5e-7. */
static value_t gelu_of(value_t x)
{
    const value_t z = ((x < 0.0F) ? -x : x) * 0.707106769F;
    const value_t t = 1.0F / (1.0F + (0.327591091F * z));
    value_t series = 1.06140542F;
    series = (series * t) - 1.45315206F;
    series = (series * t) + 1.42141378F;
    series = (series * t) - 0.284496725F;
    series = (series * t) + 0.254829586F;
    const value_t tail = 0.5F * (series * t) * exponential(-(z * z));
    return x * ((x < 0.0F) ? tail : (1.0F - tail));
}
