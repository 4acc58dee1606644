static sum_t mean(sum_t sum, int_fast32_t count)
{
    return sum / (sum_t)count;
}
