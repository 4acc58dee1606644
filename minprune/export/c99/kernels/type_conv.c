typedef struct {
    window_t window;
    affine_t affine;
    const int16_t *offset; /* from column to column, or where each lies in a strip */
    uint16_t groups;
    uint16_t out_plane;
    uint16_t phases; /* of a line in a strip */
    uint16_t length; /* of each */
} conv_t;
