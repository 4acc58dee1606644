typedef struct {
    int32_t multiplier[3]; /* of the left side, the right side and the result */
    int8_t exponent[3];
    int8_t zero[3];
    int8_t low;
    int8_t high;
    uint16_t size;
} add_t;
