/* The sums of a row for 8 positions: each weight that is decoded serves all of them, and
   finds their inputs side by side in a strip, at the offset of its column. Merged with
   what calls it, the loop would run out of registers. */
#if defined(__GNUC__)
#define APART_8 __attribute__((noinline))
#else
#define APART_8
#endif
#define TARGET_8 , const int16_t *offset, uint_fast16_t step, uint_fast16_t valid
#define TABLE_8 , const int16_t *part
#define PASS_8 , offset
#define PART_8 const int16_t *part = offset
#define AT_8(column) x[READ_I16(&part[column])]
#define NEXT_8(seen) ((seen) += READ_I16(part), ++part, (seen))
#define FILL_8(bias)                              \
    const sum_t start = (bias);                  \
    sum_t sums[8] = {start, start, start, start, start, start, start, start}
#define START_8                              \
    sum_t s0 = sums[0];                      \
    sum_t s1 = sums[1];                      \
    sum_t s2 = sums[2];                      \
    sum_t s3 = sums[3];                      \
    sum_t s4 = sums[4];                      \
    sum_t s5 = sums[5];                      \
    sum_t s6 = sums[6];                      \
    sum_t s7 = sums[7]
#define TAKE_8(w, x)                         \
    do {                                     \
        const sum_t v = (sum_t)(w);          \
        const value_t *const p = (x);        \
        s0 += v * (sum_t)p[0];               \
        s1 += v * (sum_t)p[1];               \
        s2 += v * (sum_t)p[2];               \
        s3 += v * (sum_t)p[3];               \
        s4 += v * (sum_t)p[4];               \
        s5 += v * (sum_t)p[5];               \
        s6 += v * (sum_t)p[6];               \
        s7 += v * (sum_t)p[7];               \
    } while (0)
#define STOP_8                               \
    do {                                     \
        sums[0] = s0;                        \
        sums[1] = s1;                        \
        sums[2] = s2;                        \
        sums[3] = s3;                        \
        sums[4] = s4;                        \
        sums[5] = s5;                        \
        sums[6] = s6;                        \
        sums[7] = s7;                        \
    } while (0)
#define GIVE_8                               \
    do {                                     \
        finish(a, row, sums, y, valid);      \
        y += step;                           \
    } while (0)
