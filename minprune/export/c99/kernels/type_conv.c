typedef struct {
    window_t window;
    affine_t affine;
    uint16_t groups;
    uint16_t out_plane;
} conv_t;
