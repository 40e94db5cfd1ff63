"""Time-ordered ids that any process makes alone: see docs/decisions/0004-ids-and-keys.md."""

import random
import threading
import time

EPOCH_MS = 1_704_067_200_000
"""2024-01-01T00:00:00Z."""

RANDOM_BITS = 11
"""With 42 bits of milliseconds, an id fits the 53 bits that JavaScript counts exactly until the year 2163."""

_lock = threading.Lock()
_last = 0


def new_id() -> int:
    """A positive whole number below 2**53, larger than every one this process made before."""
    global _last
    moment = int(time.time() * 1000) - EPOCH_MS
    with _lock:
        # Half of the low bits are drawn: the other half is room for the ids of the same millisecond.
        drawn = (moment << RANDOM_BITS) | random.getrandbits(RANDOM_BITS - 1)
        _last = max(drawn, _last + 1)
        return _last
