/* By e^-2|x| - 1, which loses no digits near zero. */
static value_t tanh_of(value_t x)
{
    value_t scale;
    const value_t part = exponential_part(-2.0F * ((x < 0.0F) ? -x : x), &scale);
    const value_t below = (scale * part) + (scale - 1.0F);
    const value_t y = (0.0F - below) / (2.0F + below);
    return (x < 0.0F) ? -y : y;
}
