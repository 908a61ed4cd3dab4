"""The segments' norms: figures of their own history, in a file that people read, review and keep with the policy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from wellwon.core.norms import Norms
from wellwon.core.units import format_date, format_percent
from wellwon.policy.forms import Day, Mapping, Number, Percent, Section
from wellwon.policy.problem import did_you_mean
from wellwon.policy.read import Path, Reader

INSUFFICIENT: Final = "insufficient_history"
OLD_DAYS: Final = 365
"""Norms whose history ended longer ago than this are told to be old: each season has been again since."""
DEFAULT_FILE: Final = "norms.yaml"


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure and the number of wins that it is made of. None below `Norms.MIN_WINS` of them."""

    value: int | None
    n: int


@dataclass(frozen=True, slots=True)
class SegmentNorms:
    """What is usual in a segment. Percentiles of discounts in hundredths of a point, times in days."""

    wins: int
    discount_p75: Figure | None = None
    """Of the wins outside the window; None where nobody knows a discount."""
    stage_days_median: dict[str, Figure] = field(default_factory=dict)
    days_to_won_p10: dict[str, Figure] = field(default_factory=dict)

    def as_norms(self) -> Norms:
        """What rules read: only the figures that there is enough history for."""
        return Norms(
            self.wins,
            self.discount_p75.value if self.discount_p75 else None,
            {stage: known.value for stage, known in self.stage_days_median.items() if known.value is not None},
            {stage: known.value for stage, known in self.days_to_won_p10.items() if known.value is not None},
        )


@dataclass(frozen=True, slots=True)
class NormsFile:
    """The norms of all segments. Days are day numbers."""

    made: int
    first: int
    last: int
    """The history's first and last day."""
    segments: dict[str, SegmentNorms]

    @property
    def is_empty(self) -> bool:
        """Whether there is no figure that a rule could use."""
        return not any(norms.as_norms() != Norms(norms.wins) for norms in self.segments.values())


_N: Final = Number("Wins that the figure is made of.", 0, 100_000_000, "wins")
_DAYS: Final = Section(
    "Days, from so many wins.",
    {"days": Number("Days.", 0, 3_650, "days", absent=INSUFFICIENT), "n": _N},
    required=("days", "n"),
)
_STAGES: Final = "a stage"

NORMS: Final = Section(
    "The segments' norms, as `wellwon norms` writes them.",
    {
        "version": Number("Version of the norms' format.", 1, 1, "the only version there is"),
        "made": Day("The day on which they were made."),
        "history": Section(
            "The history that they were made of.",
            {"first": Day("Its first day."), "last": Day("Its last day.")},
            required=("first", "last"),
        ),
        "segments": Mapping(
            "Norms by segment.",
            "a segment",
            Section(
                "A segment's norms.",
                {
                    "wins": Number("Wins in the history.", 0, 100_000_000, "wins"),
                    "discount_p75": Section(
                        "75th percentile of the discount on wins outside the window.",
                        {"percent": Percent("Discount.", absent=INSUFFICIENT), "n": _N},
                        required=("percent", "n"),
                    ),
                    "stage_days_median": Mapping("Median days in a stage.", _STAGES, _DAYS),
                    "days_to_won_p10": Mapping("10th percentile of the days to won after a stage.", _STAGES, _DAYS),
                },
                required=("wins",),
            ),
        ),
    },
    required=("made", "history", "segments"),
    noun="a key of norms",
)


def as_norms_file(found: dict[str, Any]) -> NormsFile:
    """The norms of the values that are written."""
    history = found["history"]
    segments = {name: _segment(norms) for name, norms in found["segments"].items()}
    return NormsFile(found["made"], history["first"], history["last"], segments)


def _segment(found: dict[str, Any]) -> SegmentNorms:
    discount = found.get("discount_p75")
    return SegmentNorms(
        found["wins"],
        Figure(discount["percent"], discount["n"]) if discount else None,
        *(
            {stage: Figure(figure["days"], figure["n"]) for stage, figure in found.get(key, {}).items()}
            for key in ("stage_days_median", "days_to_won_p10")
        ),
    )


def check_norms(
    reader: Reader, path: Path, found: dict[str, Any], segments: Iterable[str], stages: Iterable[str]
) -> None:
    """Note segments and stages that the policy does not have, and figures of too few wins."""
    segments, stages = list(segments), list(stages)
    for name, norms in found.get("segments", {}).items():
        at = (*path, "segments", name)
        if name not in segments:
            reader.say_at(at, f"the policy has no segment '{name}'{did_you_mean(name, segments)}")
        _figure(reader, (*at, "discount_p75", "percent"), norms.get("discount_p75", {}), "percent")
        for key in ("stage_days_median", "days_to_won_p10"):
            for stage, figure in norms.get(key, {}).items():
                if stage not in stages:
                    said = f"{key}: '{stage}' is not an open stage of any pipeline{did_you_mean(stage, stages)}"
                    reader.say_at((*at, key, stage), said)
                _figure(reader, (*at, key, stage, "days"), figure, "days")
    history = found.get("history", {})
    if history.get("first", 0) > history.get("last", history.get("first", 0)):
        reader.say_at((*path, "history", "last"), "the history ends before it begins")


def _figure(reader: Reader, path: Path, figure: dict[str, Any], key: str) -> None:
    if figure.get(key) is not None and figure.get("n", Norms.MIN_WINS) < Norms.MIN_WINS:
        said = (
            f"of {figure['n']} wins no figure is made: {INSUFFICIENT} is needed (from {Norms.MIN_WINS} on they count)"
        )
        reader.say_at(path, said)


def age(norms: NormsFile, today: int) -> str:
    """What to say of norms whose history ended long ago; empty while they are fresh. ``today`` is a day number."""
    days = today - norms.last
    if days <= OLD_DAYS:
        return ""
    return f"the norms' history ended {days} days ago, on {format_date(norms.last)}: `wellwon norms` makes them anew"


def written(norms: NormsFile) -> str:
    """The file's text."""
    lines = [
        "# What is usual in each segment, from your own history: written by `wellwon norms`, for review.",
        f"# A figure counts from {Norms.MIN_WINS} wins on (n); below that there is {INSUFFICIENT}, and no number.",
        "",
        "version: 1",
        f"made: {format_date(norms.made)}",
        "history:",
        f"  first: {format_date(norms.first)}",
        f"  last: {format_date(norms.last)}",
        "segments:" if norms.segments else "segments: {}",
    ]
    for name, segment in norms.segments.items():
        few = f"  # {INSUFFICIENT}" * (segment.wins < Norms.MIN_WINS)
        lines += [f"  {_key(name)}:", f"    wins: {segment.wins}{few}"]
        if segment.discount_p75 is not None:
            value = segment.discount_p75.value
            shown = INSUFFICIENT if value is None else format_percent(value)
            lines += [
                "    # 75th percentile of the discount on wins outside the window",
                f"    discount_p75: {{percent: {shown}, n: {segment.discount_p75.n}}}",
            ]
        for key, about in (
            ("stage_days_median", "median days in a stage, of deals that were won"),
            ("days_to_won_p10", "10th percentile of the days from leaving a stage to won"),
        ):
            if figures := getattr(segment, key):
                lines += [f"    # {about}", f"    {key}:"]
                lines += [f"      {_key(stage)}: {_days(figure)}" for stage, figure in figures.items()]
    return "\n".join(lines) + "\n"


def _days(figure: Figure) -> str:
    return f"{{days: {INSUFFICIENT if figure.value is None else figure.value}, n: {figure.n}}}"


def _key(name: str) -> str:
    """A name as a key of YAML: as it is where that is plain, else quoted."""
    plain = name.replace(" ", "").replace("-", "").replace("/", "").replace(".", "").replace("_", "")
    if plain.isalnum() and name[0].isalpha() and name == name.strip() and name.lower() not in _WORDS:
        return name
    return '"' + "".join(_ESCAPES.get(c, c if c.isprintable() else f"\\U{ord(c):08x}") for c in name) + '"'


_WORDS: Final = frozenset(("null", "true", "false"))
_ESCAPES: Final = {'"': '\\"', "\\": "\\\\"}
