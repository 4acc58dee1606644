/* The sum of a row for one column of inputs. */
#define APART_1
#define TARGET_1
#define SUMS_1(bias) sum_t s0 = (bias)
#define TAKE_1(w, x) s0 += (sum_t)(w) * (sum_t)*(x)
#define PUT_1 *y++ = finish(a, row, s0)
