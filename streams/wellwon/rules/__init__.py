"""The patterns, one module each. The order is that of the README."""

from __future__ import annotations

from wellwon.core.rule import RuleSpec

RULES: tuple[RuleSpec, ...] = ()
