/* Starts a Cortex-M in an emulator: memory set up, FPU on, main's result as exit code.
   No library is needed; text and the exit code leave by semihosting. */
#include <stdint.h>

extern uint32_t data_source[], data_start[], data_end[], bss_start[], bss_end[];
extern uint32_t stack_top[];
int main(void);
void put_text(const char *text);

enum { SYS_WRITE0 = 0x04, SYS_EXIT_EXTENDED = 0x20, APPLICATION_EXIT = 0x20026 };

static void host(uint32_t operation, const void *argument)
{
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
}

void put_text(const char *text)
{
    host(SYS_WRITE0, text);
}

static void leave(uint32_t code)
{
    const uint32_t block[2] = {APPLICATION_EXIT, code};
    host(SYS_EXIT_EXTENDED, block);
    for (;;) {
    }
}

static void reset(void)
{
    uint32_t *from = data_source;
    for (uint32_t *to = data_start; to < data_end; ++to) {
        *to = *from++;
    }
    for (uint32_t *to = bss_start; to < bss_end; ++to) {
        *to = 0U;
    }
#if defined(__ARM_FP)
    *(volatile uint32_t *)0xE000ED88U |= 0xFU << 20; /* CPACR: coprocessors 10, 11 */
    __asm__ volatile("dsb\n isb");
#endif
    leave((uint32_t)main());
}

static void fault(void)
{
    put_text("fault\n");
    leave(99U);
}

typedef void (*handler_t)(void);
__attribute__((section(".vectors"), used)) static const handler_t vectors[16] = {
    (handler_t)stack_top, reset, fault, fault, fault, fault, fault, 0, 0, 0, 0,
    fault, fault, 0, fault, fault,
};
