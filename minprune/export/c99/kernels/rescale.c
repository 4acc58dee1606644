/* x * multiplier * 2^(exponent - 31), rounded twice as in TensorFlow Lite: halves up,
   then halves away from zero. Shifts to the right of negative numbers keep the sign,
   as every compiler for these targets does. */
static int32_t rescale(int32_t x, int32_t multiplier, int_fast8_t exponent)
{
    const uint_fast8_t left = (uint_fast8_t)((exponent > 0) ? exponent : 0);
    const uint_fast8_t right = (uint_fast8_t)((exponent < 0) ? -exponent : 0);
    const int32_t raised = x * (int32_t)(UINT32_C(1) << left); /* fits, by design */
    const int64_t product = ((int64_t)raised * multiplier) + INT64_C(0x40000000);
    const int32_t high = (int32_t)(product >> 31);
    const int32_t below = (int32_t)((UINT32_C(1) << right) - 1U);
    const int32_t half = (below >> 1) + ((high < 0) ? 1 : 0);
    return (high >> right) + (((high & below) > half) ? 1 : 0);
}
