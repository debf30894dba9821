"""What happens to memory between two steps of training."""

import ctypes

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of glibc's malloc.h
LARGEST = 2**31 - 1


def keep_freed_memory() -> bool:
    """Let this process keep what it frees, for the next step; whether it could be told.

    Every step of training takes and frees the same large arrays. glibc gives them back to the
    system, which must clear every page of them again in the next step: in a dense network of
    three layers a seventh of the step. Kept is at most what was used at once.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library
        return False
    return bool(mallopt(M_MMAP_MAX, 0) and mallopt(M_TRIM_THRESHOLD, LARGEST))
