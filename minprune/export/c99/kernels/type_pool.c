typedef struct {
    window_t window;
    value_t low;
    value_t high;
} pool_t;
