typedef struct {
    sum_t low;
    sum_t high;
    uint16_t size;
} add_t;
