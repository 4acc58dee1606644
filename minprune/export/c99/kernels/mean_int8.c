/* Rounded to nearest, halves away from zero; C division cuts off towards zero. */
static sum_t mean(sum_t sum, int_fast32_t count)
{
    const sum_t half = (sum_t)(count / 2);
    const sum_t away = (sum > 0) ? half : -half;
    return (sum + away) / (sum_t)count;
}
