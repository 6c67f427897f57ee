"""Advice: what we would do and why, in three sentences made from a comparison's numbers."""

from collections.abc import Sequence

from afina.evaluation.compare import Comparison, Verdict
from afina.evaluation.comparison_row import ComparisonRow
from afina.evaluation.cost import BreakEven

NAMED = 3  # methods that are named one by one
UNITS = {"cost": "dollars", "seconds": "seconds"}


def advise(comparison: Comparison) -> tuple[str, str, str]:
    """Which method we would use, how sure that is, and what it costs or would take to be surer."""
    whole = [row for row in comparison.rows if row.score is not None and row.complete]
    if not whole:
        return (
            "No method answered enough of the examples, so we would use none of them yet.",
            "The rows say why each one failed or is incomplete.",
            "Mend that and compare again: what is finished is not done twice.",
        )
    best = max(whole, key=lambda row: row.score or 0.0)
    others = [row for row in whole if row is not best]
    rivals = [row for row in others if equal_to(best, row, comparison)]
    beaten = [row for row in others if row not in rivals]
    level = [row for row in rivals if level_with_higher(row, whole, comparison)]
    cheaper = [row for row in level if saves(row, best)]
    chosen = min((best, *cheaper), key=lambda row: effort(row, best))
    return (
        what(chosen, best),
        how_sure(best, rivals, beaten, comparison),
        what_next(best, rivals, whole, comparison),
    )


def equal_to(one: ComparisonRow, row: ComparisonRow, comparison: Comparison) -> bool:
    """Whether neither was shown to be better than the other."""
    found = between(one.label, row.label, comparison.verdicts)
    return found is None or "better" not in found.verdict


def level_with_higher(
    row: ComparisonRow, rows: Sequence[ComparisonRow], comparison: Comparison
) -> bool:
    """Whether a row may be as good as each with a higher score: their difference may be 0.

    Its own interval says so, besides the verdict: verdicts are adjusted for their number, and
    what is cheap must not be let off because much else was compared.
    """
    higher = [each for each in rows if (each.score or 0.0) > (row.score or 0.0)]
    return all(
        equal_to(each, row, comparison) and may_be_none(each, row, comparison) for each in higher
    )


def may_be_none(one: ComparisonRow, row: ComparisonRow, comparison: Comparison) -> bool:
    """Whether the interval of two rows' difference holds 0, or none is known."""
    found = between(one.label, row.label, comparison.verdicts)
    if found is None or found.low is None or found.high is None:
        return True
    return found.low <= 0 <= found.high


def between(one: str, other: str, verdicts: Sequence[Verdict]) -> Verdict | None:
    """The verdict on two rows, whichever stands first in it."""
    return next((each for each in verdicts if {each.a, each.b} == {one, other}), None)


def saves(row: ComparisonRow, best: ComparisonRow) -> bool:
    """Whether a row is worth a lower score: fewer dollars, or as many and half the time at most.

    One answer's time varies by a fifth from run to run, so a little less of it says nothing.
    """
    if row.each.cost != best.each.cost:
        return row.each.cost < best.each.cost
    return (row.each.seconds or 0.0) <= (best.each.seconds or 0.0) / 2


def effort(row: ComparisonRow, best: ComparisonRow) -> tuple[float, float, float]:
    """What makes one of equal methods the better buy: dollars, then seconds, a call; then score."""
    return (row.each.cost, row.each.seconds or 0.0, (best.score or 0.0) - (row.score or 0.0))


def what(chosen: ComparisonRow, best: ComparisonRow) -> str:
    """The first sentence."""
    use = f"We would use {chosen.label}: it scores {interval(chosen)} on {chosen.n} examples"
    if chosen is best:
        return f"{use}, the highest score here."
    return (
        f"{use}, and each answer takes less than with {best.label}, whose {interval(best)} has not "
        "been shown to be better."
    )


def how_sure(
    best: ComparisonRow,
    rivals: Sequence[ComparisonRow],
    beaten: Sequence[ComparisonRow],
    comparison: Comparison,
) -> str:
    """The second sentence."""
    unjudged = [row for row in comparison.rows if row.error or not row.complete]
    parts = [
        f"{best.label} was shown to be better than {counted(beaten, comparison)}" if beaten else "",
        f"beside {names(rivals)} chance cannot be ruled out" if rivals else "",
        f"{names(unjudged)} failed or left examples unanswered" if unjudged else "",
        flattery(best, comparison),
    ]
    text = "; ".join(part for part in parts if part) or "there was nothing to compare it with"
    named = text.startswith(tuple(row.label for row in comparison.rows))
    return f"{text}." if named else f"{text[0].upper()}{text[1:]}."


def flattery(best: ComparisonRow, comparison: Comparison) -> str:
    """What having been chosen on these examples adds to the best one's score."""
    choice = comparison.choice
    if choice is None or choice.score != best.score or choice.optimism < 0.0005:
        return ""
    return (
        f"being the best of {choice.candidates} on these examples flatters it by about "
        f"{points(choice.optimism)}, so expect {number(choice.expected)} on others"
    )


def what_next(
    best: ComparisonRow,
    rivals: Sequence[ComparisonRow],
    whole: Sequence[ComparisonRow],
    comparison: Comparison,
) -> str:
    """The third sentence."""
    for row in rivals:
        found = between(best.label, row.label, comparison.verdicts)
        if found is not None and "more" in found.verdict:
            needed = found.verdict.removeprefix("cannot tell, ")
            return f"To tell {best.label} from {row.label}: {needed}."
    even, labels = comparison.break_even, {row.label for row in whole}
    if even is not None and {even.first.label, even.second.label} <= labels:
        return pays(even)
    return "Open the sealed test once, at the end, for a score that nothing was chosen on."


def pays(found: BreakEven) -> str:
    """From how many calls on the dearer tuning pays."""
    unit, first, second = UNITS[found.unit], found.first, found.second
    if found.calls is None:
        return (
            f"{first.label} costs less than {second.label} at any number of calls, "
            f"{first.each:.2g} {unit} each against {second.each:.2g}."
        )
    return (
        f"Up to about {found.calls:,.0f} calls {first.label} costs less in all, from then on "
        f"{second.label}, at {second.each:.2g} {unit} a call against {first.each:.2g}."
    )


def interval(row: ComparisonRow) -> str:
    """A score with its bounds."""
    return f"{number(row.score)} [{number(row.low)}, {number(row.high)}]"


def number(score: float | None) -> str:
    """A score with three decimals, or one where it goes to 100."""
    if score is None:
        return "none"
    return f"{score:.1f}" if abs(score) > 1 else f"{score:.3f}"


def points(difference: float) -> str:
    """A difference of scores in points.

    >>> points(0.0123)
    '1.2 points'
    """
    return f"{100 * difference:.1f} points"


def counted(rows: Sequence[ComparisonRow], comparison: Comparison) -> str:
    """Rows in words, or how many of the others they are where they are many."""
    if len(rows) <= NAMED:
        return names(rows)
    others = len(comparison.rows) - 1
    return f"all {others} others" if len(rows) == others else f"{len(rows)} of the {others} others"


def names(rows: Sequence[ComparisonRow]) -> str:
    """Rows in words."""
    labels = [row.label for row in rows]
    return " and ".join([", ".join(labels[:-1]), labels[-1]] if len(labels) > 1 else labels)
