"""Settings of every test run.

A first call may compile a kernel, so no test has a deadline.
``MINPRUNE_PROFILE=thorough`` draws many more examples. BLAS gets one thread unless the
environment says otherwise: products here are small, and two threads that wait for each
other on a busy machine take ten times as long as one.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from hypothesis import HealthCheck, settings

settings.register_profile(
    "default",
    deadline=None,
    print_blob=True,
    derandomize=True,
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "thorough",
    parent=settings.get_profile("default"),
    derandomize=False,
    max_examples=2000,
)
settings.load_profile(os.environ.get("MINPRUNE_PROFILE", "default"))
