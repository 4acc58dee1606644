static sum_t bounded(sum_t sum, sum_t low, sum_t high)
{
    return (sum < low) ? low : ((sum > high) ? high : sum);
}
