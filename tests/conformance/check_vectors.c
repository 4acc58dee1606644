/* Reads a folder of minprune test vectors and verifies what it can: C99, no libraries.
 *
 *   check_vectors FOLDER
 *
 * It knows three kinds: select and keep_of_group by the clauses, product by compressed
 * rows, on a little-endian machine. Prints how many vectors agreed; any other outcome is an exit status of 1. */

#include <ctype.h>
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
    long rows, columns, size;
    const double *real;
    const int64_t *whole;
    const uint8_t *kept;
} Array;

static Array array(const char *place)
{
    Array a = {1, 1, 1, NULL, NULL, NULL};
    long offset = strtol(get(place, "offset"), NULL, 10), width;
    const char *type = get(place, "type"), *at = space(get(place, "shape") + 1);
    for (long axis = 0; *at != ']'; axis++) {
        long extent = strtol(at, (char **)&at, 10);
        if (axis) a.columns *= extent;
        else a.rows = extent;
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

static int groups_agree(const char *given, const char *vector)
{
    Array scores = array(get(given, "scores")), mask = array(get(vector, "mask"));
    long keep = strtol(get(given, "keep"), NULL, 10);
    long group = strtol(get(given, "group"), NULL, 10);
    long axis = strtol(get(given, "axis"), NULL, 10);
    long step = axis ? 1 : scores.columns, lines = axis ? scores.rows : scores.columns;
    long length = axis ? scores.columns : scores.rows;
    for (long line = 0; line < lines; line++)
        for (long i = 0; i < length; i++) {
            long first = line * (axis ? scores.columns : 1) + i / group * group * step;
            long before = place(scores.real + first, group, step, i % group);
            if (mask.kept[first + i % group * step] != (before >= group - keep)) return 0;
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
    int good = back && slope;
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

int main(int count, char **words)
{
    long length, agreed = 0;
    if (count != 2) fail("expected the folder of the vectors");
    char *index = load(words[1], "index.json", &length);
    data = load(words[1], "arrays.bin", &bytes);
    const char *vector = space(get(index, "vectors") + 1);
    while (*vector == '{') {
        const char *kind = get(vector, "kind"), *given = get(vector, "given");
        int good = is(kind, "select")          ? select_agrees(given, vector)
                   : is(kind, "keep_of_group") ? groups_agree(given, vector)
                   : is(kind, "product")       ? product_agrees(given, vector)
                                               : -1;
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
