"""What holds for all tests."""

from __future__ import annotations

from hypothesis import settings

# A slow machine is no failure; what a property costs is measured in bench/.
settings.register_profile("wellwon", deadline=None)
settings.load_profile("wellwon")
