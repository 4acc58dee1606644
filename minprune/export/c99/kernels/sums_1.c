/* The sum of a row for one vector of inputs. */
#define APART_1
#define TARGET_1
#define TABLE_1
#define PASS_1
#define PART_1 const value_t *part = x
#define AT_1(column) part[column]
#define NEXT_1(seen) (seen)++
#define START_1 sum_t s0 = *sums
#define FILL_1(bias) sum_t sums[1] = {(bias)}
#define TAKE_1(w, x) s0 += (sum_t)(w) * (sum_t)*(x)
#define STOP_1 *sums = s0
#define GIVE_1 finish(a, row, sums, y++, 1U)
