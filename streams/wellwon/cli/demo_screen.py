"""What the demo shows, in a terminal or in a pipe: colours where there is a terminal, the same words in both."""

from __future__ import annotations

import html
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
        self._line(
            ("Starting a broker, all workers and the live page, with a Slack and a Salesforce of their own ...", "dim")
        )

    def started(self, seconds: float, page: str) -> None:
        """Say that everything is there, and where the page is."""
        self._line(("✓", "green"), f" up after {seconds:.1f} s; the live page is at ", (page, "underline"), "\n")

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

    def told(self, posted: Sequence[Posted], salesforce: Mapping[str, int]) -> None:
        """Whom Slack told on a day, and what Salesforce shows by then, in a line; nothing where nobody was told."""
        if posted:
            new = [one for one in posted if not one.edited]
            said = (
                [f"{counted(len(new), 'message')} to {counted(len({one.to for one in new}), 'recipient')}"]
                if new
                else []
            )
            said += [f"{len(posted) - len(new)} edited"] if len(posted) > len(new) else []
            shows = f"{counted(salesforce['flags_open'], 'flag')}, {counted(salesforce['wins'], 'win')}"
            self._line((f"    Slack: {', '.join(said)}. Salesforce shows {shows}.", "dim"))

    # --- three deals -----------------------------------------------------------------------------------------------

    def deals(self, picked: dict[str, Shown]) -> None:
        """A deal that was pressed, one that only looks so, one that was won well."""
        self._console.print()
        self._panel("Pushed", "red", self._pressed(picked["pressured"]))
        self._panel(
            f"Not pushed, though it looks like it: {picked['lookalike'].kind}",
            "yellow",
            self._alike(picked["lookalike"]),
        )
        self._panel("Won well", "green", self._won(picked["won"]))

    def _pressed(self, shown: Shown) -> list[Any]:
        first = shown.alerts[0]
        at = parse_instant(first["at"])
        recent = [told for told in shown.story if at - _BEFORE_MESSAGE_MS <= told.at <= at]
        acts = {parse_instant(act["when"]): act["kind"] for act in first["evidence"].get("acts", ())}
        moved = max((moved for moved in shown.stage_moves if moved <= at), default=None)
        last = "" if moved is None else f"The stage last moved on {_local_date(moved)}. "
        in_return = "" if any(told.traded for told in recent) else "Nothing was recorded in return."
        story = [_moves([told for told in recent if told.counts], acts), Text(last + in_return)]
        return [Text(shown.name, "bold"), *story, *_posted(shown.slack), *_held(shown.salesforce)]

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
            *_held(shown.salesforce),
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
        heard = f"{counted(totals.alerts, 'alert')}, {totals.team_alerts} of teams"
        self._line((f"\n{counted(totals.deals, 'deal')}, {heard}, {silent}", "bold"))
        self._line(f"Of the {totals.pressured} deals that the simulator pushed, {totals.pressured_found} were found.")
        if totals.won_well_rate is not None:
            known = sum(count for reading, count in totals.wins.items() if reading != "unknown")
            earned = f" ({totals.wins.get('earned', 0)} earned, of {known} wins whose reading is known)"
            self._line("Won-well rate ", (f"{totals.won_well_rate:.0%}", "bold green"), earned)
        gone = "" if keep else "; both are gone now, --keep leaves them"
        self._line("Live page at ", (totals.page, "underline"), ", metrics at ", (totals.metrics, "underline"), gone)
        spent = f"{counted(totals.changes, 'change')} in {totals.seconds:.0f} s."
        self._line((f"{spent} What a rule looks for, and why: wellwon explain push-to-close", "dim"))
        if keep:
            self._line(
                ("Everything stays until Ctrl-C. What is answered on the page goes back to the workers.", "bold")
            )


def _posted(posted: Posted | None) -> list[Any]:
    """A message as Slack was sent it."""
    if posted is None:
        return []
    blocks = posted.message["blocks"]
    texts = [block["text"]["text"] for block in blocks if block["type"] == "section"]
    lines = html.unescape("\n".join(texts)).replace("\u200b", "").replace("*", "").splitlines()
    pressed = [element for block in blocks if block["type"] == "actions" for element in block["elements"]]
    buttons = [f"[{(button.get('text') or button['placeholder'])['text']}]" for button in pressed]
    links = [button["url"] for button in pressed if "url" in button]
    return [
        Text(f"\nSlack, to {posted.to} in private", "magenta"),
        Padding(Group(Text(lines[0], "bold"), *lines[1:], Text(" ".join([*buttons, *links]), "dim")), (0, 0, 0, 2)),
    ]


def _held(fields: Mapping[str, Any]) -> list[Any]:
    """What Salesforce holds on an opportunity: the fields that are not empty."""
    table = Table.grid(padding=(0, 2))
    for name, value in fields.items():
        if name != "id" and value is not None:
            table.add_row(name, str(value))
    return [Text("\nSalesforce, on the opportunity", "magenta"), Padding(table, (0, 0, 0, 2), expand=False)]


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
