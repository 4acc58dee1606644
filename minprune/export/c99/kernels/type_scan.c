typedef struct { /* one direction of one level of a recurrent layer */
    affine_t inward; /* from the input of a step to the gates */
    affine_t around; /* from the state to the gates */
    uint16_t hidden;
    uint16_t states; /* hidden, and as many again for the memory of an LSTM */
    uint16_t length;
    uint8_t backwards;
    uint8_t last; /* whether only the final state goes out */
} scan_t;
