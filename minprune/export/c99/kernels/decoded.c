/* The weight that a code of four bits stands for. */
static value_t decoded(const affine_t *a, size_t at)
{
    const uint_fast8_t two = READ_U8(&a->codes[at >> 1U]);
    return READ_VALUE(&a->book[((at & 1U) != 0U) ? (two >> 4U) : (two & 15U)]);
}
