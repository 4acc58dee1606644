/* The sums of a row for four columns of inputs, interleaved: each weight that is decoded
   serves all four. */
/* Merged with what calls it, the loop would run out of registers. */
#if defined(__GNUC__)
#define APART_4 __attribute__((noinline))
#else
#define APART_4
#endif
#define TARGET_4 , uint_fast16_t step, uint_fast16_t valid
#define SUMS_4(bias) sum_t s0 = (bias), s1 = s0, s2 = s0, s3 = s0
#define TAKE_4(w, x)                    \
    do {                                \
        const sum_t v = (sum_t)(w);     \
        const value_t *const p = (x);   \
        s0 += v * (sum_t)p[0];          \
        s1 += v * (sum_t)p[1];          \
        s2 += v * (sum_t)p[2];          \
        s3 += v * (sum_t)p[3];          \
    } while (0)
#define PUT_4                                                      \
    do {                                                           \
        const sum_t sums[4] = {s0, s1, s2, s3};                    \
        for (uint_fast16_t lane = 0U; lane < valid; ++lane) {      \
            y[lane] = finish(a, row, sums[lane]);                  \
        }                                                          \
        y += step;                                                 \
    } while (0)
