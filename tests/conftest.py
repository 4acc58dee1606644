"""Hypothesis settings: a first call may compile a kernel, so no test has a deadline.

``MINPRUNE_PROFILE=thorough`` draws many more examples.
"""

import os

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
