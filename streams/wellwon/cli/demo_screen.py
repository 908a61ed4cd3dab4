"""What the demo shows, in a terminal or in a pipe: colours where there is a terminal, the same words in both."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from rich.box import ROUNDED
from rich.console import Console, Group
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from wellwon.cli.output import counted
from wellwon.core.units import DAY, date_of, parse_date, parse_instant
from wellwon.simulate.organisation import calendar
from wellwon.simulate.story import Told, short_date

if TYPE_CHECKING:
    from wellwon.cli.demo import Shown, Totals
    from wellwon.runtime.demo_slack import Posted

_WIDTH: Final = 100
_PIPE_WIDTH: Final = 140
_STYLE: Final = {"high": "bold red", "warning": "yellow", "info": "cyan"}
_FACT: Final = {"yes": ("yes", "green"), "no": ("no", "red"), "unknown": ("not known", "dim")}
_BEFORE_MESSAGE_MS: Final = 14 * DAY
_BEFORE_LOOKALIKE_MS: Final = 7 * DAY


class Screen:
    """Prints the show from the opening to the closing; nothing when quiet."""

    def __init__(self, *, quiet: bool = False) -> None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")  # a terminal that knows no tick shows a question mark
        self._console = Console(quiet=quiet, highlight=False)
        if not self._console.is_terminal:
            self._console.width = _PIPE_WIDTH
        self.live = self._console.is_terminal and not quiet
        """Whether a person watches: only then it is worth while to take time."""

    def _line(self, *parts: str | tuple[str, str]) -> None:
        self._console.print(Text.assemble(*parts))

    # --- the quarter -----------------------------------------------------------------------------------------------

    def opening(self, deals: int) -> None:
        """Say what is about to be seen."""
        self._line(("\nwellwon", "bold"), f"  A sales quarter of {deals} deals, simulated; its last days, played fast.")
        self._line(("Starting a broker inside this process, and real detect and deliver workers on it ...", "dim"))

    def started(self, seconds: float) -> None:
        """Say that broker and workers are there."""
        self._line(("✓", "green"), f" up after {seconds:.1f} s\n")

    def before(self, day: int, changes: int, messages: Sequence[dict[str, Any]]) -> None:
        """Sum up what came before the last days."""
        self._day(f"to {short_date(day)}", changes, messages)

    def day(self, day: int, changes: int, messages: Sequence[dict[str, Any]]) -> None:
        """One of the last days, with what people hear on it."""
        if changes or messages:
            self._day(f"{date_of(day):%a} {short_date(day)}", changes, messages)

    def _day(self, name: str, changes: int, messages: Sequence[dict[str, Any]]) -> None:
        self._line((f"{name:12}", "bold"), (counted(changes, "change"), "dim"))
        table = Table.grid(padding=(0, 2))
        for message in messages:
            table.add_row(Text(message["severity"].ljust(7), _STYLE[message["severity"]]), message["title"])
        if messages:
            self._console.print(Padding(table, (0, 0, 0, 4), expand=False))

    def slack(self, posted: Sequence[Posted]) -> None:
        """Whom Slack told, in a line."""
        if posted:
            people = counted(len({one.to for one in posted if not one.edited}), "recipient")
            edited = sum(one.edited for one in posted)
            new = counted(len(posted) - edited, "message")
            self._line((f"    Slack: {new} to {people}, {edited} edited", "dim"))

    def slack_message(self, posted: Posted) -> None:
        """A message as it was posted."""
        texts = [block["text"]["text"] for block in posted.message["blocks"] if block["type"] == "section"]
        self._panel(f"As Slack was sent it, in private to {posted.to}", "magenta", [Text(text) for text in texts])

    # --- three deals -----------------------------------------------------------------------------------------------

    def deals(self, picked: dict[str, Shown]) -> None:
        """A deal that was pressed, one that only looks so, one that was won well."""
        self._console.print()
        self._panel("Pushed: what its owner reads, in private", "red", self._pressed(picked["pressured"]))
        self._panel(
            f"Not pushed, though it looks like it: {picked['lookalike'].kind}",
            "yellow",
            self._alike(picked["lookalike"]),
        )
        self._panel("Won well: what customer success reads at the hand-over", "green", self._won(picked["won"]))

    def _pressed(self, shown: Shown) -> list[Any]:
        parts: list[Any] = []
        for message in shown.messages:
            at, evidence = parse_instant(message["at"]), message["evidence"]
            recent = [told for told in shown.story if at - _BEFORE_MESSAGE_MS <= told.at <= at]
            acts = {parse_instant(act["when"]): act["kind"] for act in evidence.get("acts", ())}
            moved = max((moved for moved in shown.stage_moves if moved <= at), default=None)
            last = "" if moved is None else f"The stage last moved on {_local_date(moved)}. "
            in_return = "" if any(told.traded for told in recent) else "Nothing was recorded in return."
            parts += [
                Text(message["title"], "bold"),
                Text.assemble((message["severity"], _STYLE[message["severity"]]), f", {message['rule']}"),
                _moves([told for told in recent if told.counts], acts),
                Text(last + in_return),
                Text(f"Against: {evidence['threshold']}."),
                Text(f"Clears when {evidence['clears']}."),
                Text("[Buyer gave date]  [Traded]  [Not right because ...]  [Timeline]", "dim"),
            ]
        return parts

    def _alike(self, shown: Shown) -> list[Any]:
        doubtful = min((told.at for told in shown.story if not told.counts), default=0)
        story = [told for told in shown.story if told.at >= doubtful - _BEFORE_LOOKALIKE_MS]
        return [
            Text(shown.name, "bold"),
            _moves(story),
            Text.assemble(("No message: ", "bold"), f"{shown.reason}."),
        ]

    def _won(self, shown: Shown) -> list[Any]:
        win = shown.win or {}
        facts = Table.grid(padding=(0, 2))
        for fact, note in (
            ("price_held", _price(win)),
            ("date_held", _date(win)),
            ("buyer_answered", "an answer in the last fourteen days" if win["buyer_answered"] == "yes" else ""),
        ):
            word, style = _FACT[win[fact]]
            facts.add_row(fact.replace("_", " "), Text(word, style), Text(note, "dim"))
        left = win["days_to_period_end"]
        when = f"{counted(left, 'day')} before quarter end" if left else "on the quarter's last day"
        return [
            Text.assemble((shown.name, "bold"), f"  won {when}"),
            facts,
            Text.assemble("Read as ", (win["reading"], "bold green"), "."),
        ]

    def _panel(self, title: str, style: str, parts: Sequence[Any]) -> None:
        self._console.print(
            Panel(
                Group(*parts),
                title=title,
                title_align="left",
                border_style=style,
                box=ROUNDED,
                padding=(0, 1),
                width=min(_WIDTH, self._console.width),
            )
        )

    # --- the end ---------------------------------------------------------------------------------------------------

    def closing(self, totals: Totals, keep: bool) -> None:
        """The numbers, where the metrics are, what to do next."""
        silent = f"{counted(totals.lookalikes_silent, 'look-alike')} not flagged"
        heard = counted(totals.messages, "message")
        self._line((f"\n{counted(totals.deals, 'deal')}, {heard}, {silent}", "bold"))
        self._line(f"Of the {totals.pressured} deals that the simulator pushed, {totals.pressured_found} were found.")
        if totals.won_well_rate is not None:
            known = sum(count for reading, count in totals.wins.items() if reading != "unknown")
            earned = f" ({totals.wins.get('earned', 0)} earned, of {known} wins whose reading is known)"
            self._line("Won-well rate ", (f"{totals.won_well_rate:.0%}", "bold green"), earned)
        self._line("Metrics at ", (totals.metrics, "underline"), "" if keep else " (gone with this; --keep leaves it)")
        spent = f"{counted(totals.changes, 'change')} in {totals.seconds:.0f} s."
        self._line((f"{spent} What a rule looks for, and why: wellwon explain push-to-close", "dim"))
        if keep:
            self._line(("Broker and workers stay until Ctrl-C.", "bold"))


def _price(win: dict[str, Any]) -> str:
    if win["discount_percent"] is None:
        return ""
    return f"{win['discount_percent']} % off list; {win['baseline_percent']} % a day after it was first priced"


def _date(win: dict[str, Any]) -> str:
    before = win["date_before"]
    return f"thirty days before, {short_date(parse_date(before))} was said" if before else ""


def _local_date(at: int) -> str:
    return short_date(calendar().local_day(at))


def _moves(story: Sequence[Told], acts: Mapping[int, str] | None = None) -> Padding:
    table, acts = Table.grid(padding=(0, 2)), dict(acts or {})
    for told in story:
        # One save is one act, however much it changes: the first of its moves carries the mark.
        act = next((at for at in acts if told.at <= at <= max(told.at, told.until)), None)
        mark = Text("" if act is None else acts.pop(act), "red") if told.counts else Text(f"({told.why})", "green")
        table.add_row(told.when.rjust(6), told.what, mark)
    return Padding(table, (0, 0, 0, 2), expand=False)
