"""The patterns, one module each. The order is that of the README."""

from __future__ import annotations

from wellwon.core.rule import RuleSpec
from wellwon.rules import (
    amount_cut_before_close,
    close_date_push,
    commit_slip,
    discount_creep,
    late_discount,
    past_due_close_date,
    period_end_push,
    pull_in_without_progress,
    push_to_close,
    reopened_deal,
)

RULES: tuple[RuleSpec, ...] = (
    late_discount.RULE,
    discount_creep.RULE,
    amount_cut_before_close.RULE,
    push_to_close.RULE,
    close_date_push.RULE,
    period_end_push.RULE,
    past_due_close_date.RULE,
    pull_in_without_progress.RULE,
    commit_slip.RULE,
    reopened_deal.RULE,
)
