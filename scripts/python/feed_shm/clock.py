"""The clock that receive times are of, which Python itself does not read: the processor's counter.

Two functions of a few instructions lie in a page that was written through its file and can then be read and executed only.
"""

import ctypes
import errno
import functools
import mmap
import os
import time

import numpy as np

# rdtsc; shl rdx, 32; or rax, rdx; ret
_RDTSC = bytes.fromhex("0f31 48c1e220 4809d0 c3")
# push rbx; mov eax, edi; cpuid; mov eax, edx; pop rbx; ret
_CPUID_EDX = bytes.fromhex("53 89f8 0fa2 89d0 5b c3")


@functools.cache
def ticks():
    """A function that reads it. Where the counter does not run at one rate, or cannot be told to, receive times are
    nanoseconds of CLOCK_MONOTONIC, and so is what it reads. OSError on processors other than x86-64, and where this system
    lets nobody execute what he wrote."""
    if os.uname().machine != "x86_64":
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))
    file = os.memfd_create("feed_shm.clock", os.MFD_CLOEXEC)
    try:
        os.write(file, (_RDTSC.ljust(64, b"\0") + _CPUID_EDX).ljust(mmap.PAGESIZE, b"\0"))
        page = mmap.mmap(file, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_EXEC)
    finally:
        os.close(file)
    start = np.frombuffer(page, np.uint8).ctypes.data
    rdtsc = ctypes.PYFUNCTYPE(ctypes.c_uint64)(start)
    edx_of = ctypes.PYFUNCTYPE(ctypes.c_uint32, ctypes.c_uint32)(start + 64)
    has_rdtscp = edx_of(0x8000_0001) >> 27 & 1
    is_invariant = edx_of(0x8000_0007) >> 8 & 1
    if not (has_rdtscp and is_invariant):
        return functools.partial(time.clock_gettime_ns, time.CLOCK_MONOTONIC)
    # Nothing else keeps the page.
    rdtsc.page = page
    return rdtsc
