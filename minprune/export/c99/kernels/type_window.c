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
