/* Reads a folder of minprune test vectors and verifies what it can: C99, no libraries.
 *
 *   check_vectors FOLDER
 *
 * It knows the kinds of the table at the end: selections and patterns by the clauses,
 * products by compressed rows, by blocks and by bits, convolutions tap by tap, and scores
 * that are one formula for each weight or filter, in float. On a little-endian machine.
 * Prints how many vectors agreed; any other outcome is an exit status of 1. */

#include <ctype.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fail(const char *what)
{
    fprintf(stderr, "check_vectors: %s\n", what);
    exit(1);
}

static char *load(const char *folder, const char *name, long *size)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END)) fail(path);
    *size = ftell(file);
    rewind(file);
    char *text = malloc((size_t)*size + 1);
    if (!text || fread(text, 1, (size_t)*size, file) != (size_t)*size) fail(path);
    fclose(file);
    text[*size] = 0;
    return text;
}

/* JSON, as much as an index needs: a value is a pointer into the text. */

static const char *space(const char *at)
{
    while (isspace((unsigned char)*at)) at++;
    return at;
}

static const char *behind(const char *at) /* the end of the value that begins here */
{
    int depth = 0;
    at = space(at);
    do {
        if (*at == '"') {
            for (at++; *at && *at != '"'; at++)
                if (*at == '\\') at++;
            at++;
        } else if (*at == '{' || *at == '[') {
            depth++, at++;
        } else if (*at == '}' || *at == ']') {
            depth--, at++;
        } else if (depth && (isspace((unsigned char)*at) || *at == ',' || *at == ':')) {
            at++;
        } else {
            while (*at && !strchr(",:]}\" \n\t\r", *at)) at++;
        }
    } while (depth && *at);
    return at;
}

static const char *get(const char *object, const char *key)
{
    const char *at = space(space(object) + 1);
    while (*at == '"') {
        const char *end = behind(at), *value = space(space(end) + 1);
        if ((size_t)(end - at) == strlen(key) + 2 && !strncmp(at + 1, key, strlen(key)))
            return value;
        at = space(behind(value));
        if (*at == ',') at = space(at + 1);
    }
    fail(key);
    return NULL;
}

static int is(const char *value, const char *word)
{
    return !strncmp(value + 1, word, strlen(word)) && value[1 + strlen(word)] == '"';
}

/* Arrays. */

static char *data;
static long bytes;

typedef struct {
    long rows, columns, size, extent[4];
    const double *real;
    const int64_t *whole;
    const uint8_t *kept;
} Array;

static Array array(const char *place)
{
    Array a = {1, 1, 1, {1, 1, 1, 1}, NULL, NULL, NULL};
    long offset = strtol(get(place, "offset"), NULL, 10), width;
    const char *type = get(place, "type"), *at = space(get(place, "shape") + 1);
    for (long axis = 0; *at != ']'; axis++) {
        long extent = strtol(at, (char **)&at, 10);
        if (axis) a.columns *= extent;
        else a.rows = extent;
        if (axis < 4) a.extent[axis] = extent;
        at = space(at);
        if (*at == ',') at = space(at + 1);
    }
    a.size = a.rows * a.columns;
    width = is(type, "uint8") ? 1 : 8;
    if (offset < 0 || offset + a.size * width > bytes) fail("an array is outside");
    if (is(type, "float64")) a.real = (const double *)(data + offset);
    if (is(type, "int64")) a.whole = (const int64_t *)(data + offset);
    if (is(type, "uint8")) a.kept = (const uint8_t *)(data + offset);
    return a;
}

/* M.1: the decimal number times n, rounded to the nearest, halves to even. */
static long removed(const char *decimal, long n)
{
    int64_t number = 0, unit = 1, point = 0;
    for (; isdigit((unsigned char)*decimal) || *decimal == '.'; decimal++) {
        if (*decimal == '.') { point = 1; continue; }
        number = 10 * number + (*decimal - '0');
        if (point) unit *= 10;
    }
    int64_t product = number * n, low = product / unit, rest = 2 * (product % unit);
    return (long)(low + (rest > unit || (rest == unit && low % 2)));
}

static long whole(const char *given, const char *key)
{
    return strtol(get(given, key), NULL, 10);
}

/* M.2 and M.3: how many of a stretch go before this one. */
static long place(const double *scores, long count, long step, long index)
{
    long before = 0;
    for (long i = 0; i < count; i++)
        before += scores[i * step] < scores[index * step]
                  || (scores[i * step] == scores[index * step] && i < index);
    return before;
}

static int select_agrees(const char *given, const char *vector)
{
    Array scores = array(get(given, "scores")), mask = array(get(vector, "mask"));
    long count = removed(get(given, "sparsity"), scores.size);
    for (long i = 0; i < scores.size; i++)
        if (mask.kept[i] != (place(scores.real, scores.size, 1, i) >= count)) return 0;
    return 1;
}

/* M.5: what is gone is gone first. */
static int again_agrees(const char *given, const char *vector)
{
    Array scores = array(get(given, "scores")), mask = array(get(vector, "mask"));
    Array previous = array(get(given, "previous"));
    long count = removed(get(given, "sparsity"), scores.size);
    for (long i = 0; i < scores.size; i++) {
        long before = 0;
        for (long j = 0; j < scores.size; j++) {
            double gap = (double)previous.kept[j] - previous.kept[i];
            if (gap == 0) gap = scores.real[j] - scores.real[i];
            before += gap < 0 || (gap == 0 && j < i);
        }
        if (mask.kept[i] != (before >= count)) return 0;
    }
    return 1;
}

static int threshold_agrees(const char *given, const char *vector)
{
    Array scores = array(get(given, "scores")), mask = array(get(vector, "mask"));
    int above = is(get(given, "rule"), "above");
    double value = strtod(get(given, "value"), NULL);
    if (is(get(given, "rule"), "at_quantile")) return -1;
    for (long i = 0; i < scores.size; i++) {
        double score = scores.real[i];
        if (mask.kept[i] != (above ? score > value : score >= value)) return 0;
    }
    return 1;
}

static int groups_agree(const char *given, const char *vector)
{
    Array scores = array(get(given, "scores")), mask = array(get(vector, "mask"));
    long keep = whole(given, "keep"), group = whole(given, "group");
    long axis = whole(given, "axis");
    long step = axis ? 1 : scores.columns, lines = axis ? scores.rows : scores.columns;
    long length = axis ? scores.columns : scores.rows;
    for (long line = 0; line < lines; line++)
        for (long i = 0; i < length; i++) {
            long first = line * (axis ? scores.columns : 1) + i / group * group * step;
            long here = length - i / group * group, goes;
            if (here > group) here = group;
            goes = here > keep ? here - keep : 0;
            if (here < group && is(get(given, "remainder"), "keep")) goes = 0;
            long before = place(scores.real + first, here, step, i % group);
            if (mask.kept[first + i % group * step] != (before >= goes)) return 0;
        }
    return 1;
}

/* P.10: from the highest score down, of equal ones the later first. */
static int square_agrees(const char *given, const char *vector)
{
    Array scores = array(get(given, "scores")), mask = array(get(vector, "mask"));
    long keep = whole(given, "keep"), side = whole(given, "group");
    if (!is(get(given, "rule"), "greedy_square")) return -1;
    for (long top = 0; top + side <= scores.rows; top += side)
        for (long left = 0; left + side <= scores.columns; left += side) {
            double flat[64];
            long row[8] = {0}, column[8] = {0};
            if (side > 8) return -1;
            for (long i = 0; i < side * side; i++)
                flat[i] = scores.real[(top + i / side) * scores.columns + left + i % side];
            for (long rank = side * side - 1; rank >= 0; rank--) {
                long i = 0;
                while (place(flat, side * side, 1, i) != rank) i++;
                int room = row[i / side] < keep && column[i % side] < keep;
                row[i / side] += room, column[i % side] += room;
                long at = (top + i / side) * scores.columns + left + i % side;
                if (mask.kept[at] != room) return 0;
            }
        }
    return 1;
}

/* The unit that a weight belongs to, P.2 to P.4. */
static long unit_of(const char *given, Array scores, long at)
{
    const char *unit = get(given, "unit"), *block = get(given, "block");
    long row = at / scores.columns, column = at % scores.columns;
    long window = scores.columns / scores.extent[1], groups = whole(given, "groups");
    if (is(unit, "weight")) return at;
    if (is(unit, "row")) return row;
    if (is(unit, "column")) return column;
    if (is(unit, "kernel")) return at / window;
    if (is(unit, "channel"))
        return row / (scores.rows / groups) * scores.extent[1] + column / window;
    char *end;
    long high = strtol(space(block + 1), &end, 10);
    long wide = strtol(space(space(end) + 1), NULL, 10);
    return row / high * ((scores.columns + wide - 1) / wide) + column / wide;
}

/* P.5 and P.6; sums of multiples of 2^-16 are exact, means and roots are left out. */
static int units_agree(const char *given, const char *vector)
{
    Array scores = array(get(given, "scores")), mask = array(get(vector, "mask"));
    int top = is(get(given, "reduction"), "max");
    if (!top && !is(get(given, "reduction"), "sum")) return -1;
    double *worth = calloc((size_t)scores.size, sizeof *worth);
    long count = 0;
    int good = worth != NULL;
    for (long i = 0; good && i < scores.size; i++) {
        long unit = unit_of(given, scores, i);
        if (unit >= count) count = unit + 1;
        if (!top) worth[unit] += scores.real[i];
        else if (scores.real[i] > worth[unit]) worth[unit] = scores.real[i];
    }
    long gone = removed(get(given, "sparsity"), count);
    for (long i = 0; good && i < scores.size; i++) {
        long unit = unit_of(given, scores, i);
        good = mask.kept[i] == (place(worth, count, 1, unit) >= gone);
    }
    free(worth);
    return good;
}

/* The weight again, from its bits and from its blocks. */
static int forms_agree(const char *given, Array weight, Array mask)
{
    Array bits = array(get(given, "bits"));
    const char *blocks = get(given, "blocks");
    Array indptr = array(get(blocks, "indptr")), indices = array(get(blocks, "indices"));
    Array values = array(get(blocks, "values"));
    long high = values.extent[1], wide = values.extent[2];
    for (long i = 0; i < weight.size; i++)
        if ((bits.whole[i / 8] >> i % 8 & 1) != mask.kept[i]) return 0;
    for (long i = 0; i < weight.size; i++) {
        long row = i / weight.columns, column = i % weight.columns;
        double found = 0;
        for (int64_t k = indptr.whole[row / high]; k < indptr.whole[row / high + 1]; k++)
            if (indices.whole[k] == column / wide)
                found = values.real[(k * high + row % high) * wide + column % wide];
        if (found != (mask.kept[i] ? weight.real[i] : 0)) return 0;
    }
    return 1;
}

static int product_agrees(const char *given, const char *vector)
{
    Array indptr = array(get(given, "indptr")), indices = array(get(given, "indices"));
    Array values = array(get(given, "values")), weight = array(get(given, "weight"));
    Array x = array(get(given, "x")), dy = array(get(given, "dy"));
    Array y = array(get(vector, "y")), dx = array(get(vector, "dx"));
    Array dweight = array(get(vector, "dweight"));
    long batch = x.rows, out = weight.rows, in = weight.columns;
    double *back = calloc((size_t)(batch * in), sizeof *back);
    double *slope = calloc((size_t)(out * in), sizeof *slope);
    int good = back && slope && forms_agree(given, weight, array(get(given, "mask")));
    for (long b = 0; good && b < batch; b++)
        for (long o = 0; o < out; o++) {
            double sum = 0;
            for (int64_t k = indptr.whole[o]; k < indptr.whole[o + 1]; k++) {
                long i = (long)indices.whole[k];
                sum += values.real[k] * x.real[b * in + i];
                back[b * in + i] += values.real[k] * dy.real[b * out + o];
                slope[o * in + i] += dy.real[b * out + o] * x.real[b * in + i];
            }
            good &= sum == y.real[b * out + o];
        }
    for (long i = 0; good && i < batch * in; i++) good &= back[i] == dx.real[i];
    for (long i = 0; good && i < out * in; i++) good &= slope[i] == dweight.real[i];
    free(back);
    free(slope);
    return good;
}

/* Every tap of every output, forward and backward at once. */
static int convolution_agrees(const char *given, const char *vector)
{
    Array w = array(get(given, "weight")), mask = array(get(given, "mask"));
    Array x = array(get(given, "x")), dy = array(get(given, "dy"));
    Array y = array(get(vector, "y")), dx = array(get(vector, "dx"));
    Array dweight = array(get(vector, "dweight"));
    long stride = whole(given, "stride"), padding = whole(given, "padding");
    long dilation = whole(given, "dilation"), groups = whole(given, "groups");
    double *slope = calloc((size_t)w.size, sizeof *slope);
    double *back = calloc((size_t)x.size, sizeof *back);
    int good = slope && back;
    for (long to = 0; good && to < y.size; to++) {
        long j = to % y.extent[3], i = to / y.extent[3] % y.extent[2];
        long o = to / y.extent[3] / y.extent[2] % y.extent[1], n = to / y.columns;
        double sum = 0;
        for (long tap = 0; tap < w.columns; tap++) {
            long b = tap % w.extent[3], a = tap / w.extent[3] % w.extent[2];
            long c = tap / w.extent[3] / w.extent[2] + o / (w.rows / groups) * w.extent[1];
            long row = i * stride - padding + a * dilation;
            long column = j * stride - padding + b * dilation;
            if (row < 0 || row >= x.extent[2] || column < 0 || column >= x.extent[3])
                continue;
            long at = ((n * x.extent[1] + c) * x.extent[2] + row) * x.extent[3] + column;
            long weight = o * w.columns + tap;
            if (!mask.kept[weight]) continue;
            sum += w.real[weight] * x.real[at];
            back[at] += w.real[weight] * dy.real[to];
            slope[weight] += x.real[at] * dy.real[to];
        }
        good = sum == y.real[to];
    }
    for (long i = 0; good && i < x.size; i++) good = back[i] == dx.real[i];
    for (long i = 0; good && i < w.size; i++) good = slope[i] == dweight.real[i];
    free(slope);
    free(back);
    return good;
}

/* Formulas of a weight and, perhaps, of what is said of it; summed over filters or not. */
typedef struct {
    const char *name, *other;
    int by_filter;
    float (*formula)(float weight, float other);
} Formula;

static float of_size(float w, float g) { return fabsf(w) + 0 * g; }
static float of_square(float w, float g) { return w * w + 0 * g; }
static float of_product(float w, float g) { return w * g; }
static float of_product_size(float w, float g) { return fabsf(w * g); }
static float of_product_square(float w, float g) { return w * g * (w * g); }
static float of_curvature(float w, float h) { return 0.5f * h * w * w; }
static float of_path(float w, float p) { return w * w * p; }

static const Formula FORMULAS[] = {
    {"magnitude", "weight", 0, of_size},
    {"l1_norm", "weight", 1, of_size},
    {"squared_norm", "weight", 1, of_square},
    {"snip", "grad", 0, of_product_size},
    {"synflow", "flow_grad", 0, of_product_size},
    {"synflow_l2", "path_grad", 0, of_path},
    {"obd", "hess_diag", 0, of_curvature},
    {"fisher", "fisher_diag", 0, of_curvature},
    {"grasp_official", "hessian_grad", 0, of_product},
    {"grasp_magnitude", "hessian_grad", 0, of_product_size},
    {"taylor", "grad", 0, of_product_square},
    {"taylor_sum", "grad", 1, of_product_square},
    {"taylor_absolute", "grad", 1, of_product_size},
    {"taylor_signed", "grad", 1, of_product},
};

static int score_agrees(const char *given, const char *vector)
{
    const char *name = get(given, "criterion"), *evidence = get(given, "evidence");
    const Formula *f = NULL;
    for (size_t i = 0; i < sizeof FORMULAS / sizeof *FORMULAS; i++)
        if (is(name, FORMULAS[i].name)) f = &FORMULAS[i];
    if (!f) return -1;
    Array w = array(get(evidence, "weight")), g = array(get(evidence, f->other));
    Array score = array(get(vector, "score"));
    long each = f->by_filter ? w.columns : 1;
    double largest = 0, tolerance = strtod(get(vector, "tolerance"), NULL);
    if (score.size * each != w.size || g.size != w.size) return 0;
    for (long i = 0; i < score.size; i++)
        if (fabs(score.real[i]) > largest) largest = fabs(score.real[i]);
    for (long i = 0; i < score.size; i++) {
        float sum = 0;
        for (long k = i * each; k < (i + 1) * each; k++)
            sum += f->formula((float)w.real[k], (float)g.real[k]);
        if (!(fabs(sum - score.real[i]) <= tolerance * largest)) return 0;
    }
    return 1;
}

static const struct {
    const char *name;
    int (*agrees)(const char *given, const char *vector);
} KINDS[] = {
    {"select", select_agrees},
    {"select_again", again_agrees},
    {"threshold", threshold_agrees},
    {"keep_of_group", groups_agree},
    {"square", square_agrees},
    {"select_units", units_agree},
    {"product", product_agrees},
    {"convolve", convolution_agrees},
    {"score", score_agrees},
};

int main(int count, char **words)
{
    long length, agreed = 0;
    if (count != 2) fail("expected the folder of the vectors");
    char *index = load(words[1], "index.json", &length);
    data = load(words[1], "arrays.bin", &bytes);
    const char *vector = space(get(index, "vectors") + 1);
    while (*vector == '{') {
        const char *kind = get(vector, "kind"), *given = get(vector, "given");
        int good = -1;
        for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++)
            if (is(kind, KINDS[i].name)) good = KINDS[i].agrees(given, vector);
        if (!good) {
            printf("vector %ld differs\n", strtol(get(vector, "id"), NULL, 10));
            return 1;
        }
        agreed += good > 0;
        vector = space(behind(vector));
        if (*vector == ',') vector = space(vector + 1);
    }
    printf("%ld vectors agree\n", agreed);
    free(index);
    free(data);
    return 0;
}
