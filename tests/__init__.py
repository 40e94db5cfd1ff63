"""The tests, and what must be set before anything else is imported."""

import os

# Two processes that compute with two threads each on two cores hinder one another. numpy looks when it is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
