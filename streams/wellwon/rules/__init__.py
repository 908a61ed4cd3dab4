"""The patterns, one module each. The order is that of the README."""

from __future__ import annotations

from wellwon.core.rule import RuleSpec
from wellwon.rules import (
    amount_cut_before_close,
    amount_spike,
    borrowed_from_next_period,
    bulk_push,
    category_flip_flop,
    category_stage_mismatch,
    close_date_push,
    commit_slip,
    discount_concentration,
    discount_creep,
    last_day_parking,
    late_commit,
    late_discount,
    late_owner_change,
    late_stage_creation,
    missing_amount,
    next_step_missing,
    past_due_close_date,
    period_end_load,
    period_end_push,
    pull_in_without_progress,
    push_to_close,
    quiet_commit,
    re_dated_in_window,
    reopened_deal,
    serial_slip,
    stage_regression,
    stage_skip,
    stage_stall,
    too_early_to_close,
    unanswered_touches,
    won_reversed,
)

RULES: tuple[RuleSpec, ...] = (
    late_discount.RULE,
    discount_creep.RULE,
    amount_cut_before_close.RULE,
    push_to_close.RULE,
    unanswered_touches.RULE,
    close_date_push.RULE,
    serial_slip.RULE,
    period_end_push.RULE,
    re_dated_in_window.RULE,
    past_due_close_date.RULE,
    pull_in_without_progress.RULE,
    too_early_to_close.RULE,
    commit_slip.RULE,
    late_commit.RULE,
    quiet_commit.RULE,
    category_flip_flop.RULE,
    category_stage_mismatch.RULE,
    amount_spike.RULE,
    stage_regression.RULE,
    stage_stall.RULE,
    stage_skip.RULE,
    reopened_deal.RULE,
    won_reversed.RULE,
    missing_amount.RULE,
    next_step_missing.RULE,
    late_stage_creation.RULE,
    last_day_parking.RULE,
    late_owner_change.RULE,
)
"""Asked of a deal."""

GROUP_RULES: tuple[RuleSpec, ...] = (
    bulk_push.RULE,
    period_end_load.RULE,
    discount_concentration.RULE,
    borrowed_from_next_period.RULE,
)
"""Asked of an owner's or a team's deals, by the rollup."""

PATTERNS: tuple[RuleSpec, ...] = RULES + GROUP_RULES
"""All that people can read about, and set in the policy."""
