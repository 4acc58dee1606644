typedef struct {
    const uint8_t *count;  /* tables of the encoding */
    const uint8_t *index;
    const uint8_t *codes;  /* four bits for each weight, the first in the lower half */
    const value_t *book;   /* the sixteen weights there are */
    const sum_t *bias;     /* one for each row, the zero point folded in */
    const int32_t *multiplier;
    const int8_t *exponent;
    uint16_t rows;         /* of one group */
    uint16_t columns;
    uint8_t by_row;        /* whether each row has a multiplier of its own */
    int8_t zero;
    int8_t low;
    int8_t high;
} affine_t;
