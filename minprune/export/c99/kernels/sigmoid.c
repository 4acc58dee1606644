static value_t sigmoid_of(value_t x)
{
    const value_t e = exponential((x < 0.0F) ? x : -x);
    return ((x < 0.0F) ? e : 1.0F) / (1.0F + e);
}
