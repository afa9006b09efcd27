"""What all tests share: a busy machine is no fault of a formula, so no example of hypothesis has a deadline."""

from hypothesis import settings

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
