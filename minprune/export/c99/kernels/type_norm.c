typedef struct {
    const value_t *weight;
    const value_t *bias;
    uint16_t size;
    value_t eps;
} norm_t;
