typedef struct { /* where a kernel stands in the tables */
    const uint8_t *count;
    const uint8_t *index;
    STREAM_weight;
    uint_fast16_t row;
} cursor_t;
