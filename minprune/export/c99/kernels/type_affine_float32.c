typedef struct {
    const uint8_t *count;  /* tables of the encoding */
    const uint8_t *index;
    const value_t *weight;
    const sum_t *bias;     /* one for each row */
    uint16_t rows;         /* of one group */
    uint16_t columns;
    sum_t low;
    sum_t high;
} affine_t;
