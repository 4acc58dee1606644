/* The sums of a row for 4 positions: each weight that is decoded serves all of them, and
   finds their inputs side by side in a strip, at the offset of its column. Merged with
   what calls it, the loop would run out of registers. */
#if defined(__GNUC__)
#define APART_4 __attribute__((noinline))
#else
#define APART_4
#endif
#define TARGET_4 , const int16_t *offset, uint_fast16_t step, uint_fast16_t valid
#define TABLE_4 , const int16_t *part
#define PASS_4 , offset
#define PART_4 const int16_t *part = offset
#define AT_4(column) x[READ_I16(&part[column])]
#define NEXT_4(seen) ((seen) += READ_I16(part), ++part, (seen))
#define FILL_4(bias)                              \
    const sum_t start = (bias);                  \
    sum_t sums[4] = {start, start, start, start}
#define START_4                              \
    sum_t s0 = sums[0];                      \
    sum_t s1 = sums[1];                      \
    sum_t s2 = sums[2];                      \
    sum_t s3 = sums[3]
#define TAKE_4(w, x)                         \
    do {                                     \
        const sum_t v = (sum_t)(w);          \
        const value_t *const p = (x);        \
        s0 += v * (sum_t)p[0];               \
        s1 += v * (sum_t)p[1];               \
        s2 += v * (sum_t)p[2];               \
        s3 += v * (sum_t)p[3];               \
    } while (0)
#define STOP_4                               \
    do {                                     \
        sums[0] = s0;                        \
        sums[1] = s1;                        \
        sums[2] = s2;                        \
        sums[3] = s3;                        \
    } while (0)
#define GIVE_4                               \
    do {                                     \
        finish(a, row, sums, y, valid);      \
        y += step;                           \
    } while (0)
