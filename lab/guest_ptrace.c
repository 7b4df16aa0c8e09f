/* ptrace() for a user-mode Linux kernel whose processor has more registers than it knows.
 *
 * Linux 6.1 to 6.12 as user mode keep a process's floating-point and vector registers in 2,696
 * bytes: what AVX-512 needs. They set them with PTRACE_SETREGSET of NT_X86_XSTATE, which the host's
 * kernel takes only in full length (arch/x86/kernel/fpu/regset.c, xstateregs_set). With AMX that is
 * 11 kB, so it says EFAULT, and the guest's first process dies. Here the rest is filled up with
 * what the process has there: nothing, since the guest's processes never ask for AMX.
 *
 * Preloaded into linux.uml by lab/guest.py. No header is included, so that any compiler will do.
 */

struct iovec {
    char *base;
    unsigned long length;
};

enum { PEEKTEXT = 1, PEEKUSR = 3, GETREGSET = 0x4204, SETREGSET = 0x4205 }; /* <linux/ptrace.h> */
enum { NT_X86_XSTATE = 0x202 };                                            /* <linux/elf.h> */
enum { SYS_PTRACE = 101 };                                                 /* x86-64 */

extern long syscall(long number, ...);
extern int *__errno_location(void);

long ptrace(long request, long pid, long address, void *data)
{
    static char whole[1 << 16];
    struct iovec *given = data, all = { whole, sizeof whole };
    unsigned long i;
    long word;

    if (request >= PEEKTEXT && request <= PEEKUSR) { /* the C library's ptrace returns the word */
        if (syscall(SYS_PTRACE, request, pid, address, &word) < 0)
            return -1;
        *__errno_location() = 0;
        return word;
    }
    if (request != SETREGSET || address != NT_X86_XSTATE)
        return syscall(SYS_PTRACE, request, pid, address, data);
    if (syscall(SYS_PTRACE, GETREGSET, pid, address, &all) < 0)
        return -1;
    for (i = 0; i < given->length && i < all.length; i++)
        whole[i] = given->base[i];
    return syscall(SYS_PTRACE, request, pid, address, &all);
}
