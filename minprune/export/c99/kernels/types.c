typedef struct { /* where a kernel stands in the tables */
    const uint8_t *count;
    const uint8_t *index;
    const value_t *weight;
    uint_fast16_t row;
} cursor_t;

typedef struct { /* a window over a plane */
    uint16_t channels; /* of one group */
    uint16_t height;
    uint16_t width;
    uint16_t plane; /* height * width */
    uint16_t out_height;
    uint16_t out_width;
    uint16_t rows;
    uint16_t columns;
    uint16_t stride_rows;
    uint16_t stride_columns;
    uint16_t top; /* border above and to the left */
    uint16_t left;
    uint16_t dilation_rows;
    uint16_t dilation_columns;
    value_t border;
} window_t;

typedef struct {
    window_t window;
    affine_t affine;
    uint16_t groups;
    uint16_t out_plane;
} conv_t;

typedef struct {
    window_t window;
    value_t low;
    value_t high;
} pool_t;
