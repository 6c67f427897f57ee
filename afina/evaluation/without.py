"""A report without a part of a solver, kept beside the whole one's: what the part bought."""

from dataclasses import replace

from afina.evaluation.compare import Verdict, judge
from afina.evaluation.report import Report
from afina.evaluation.statistics import paired
from afina.task.metrics import metric_named

RETRIEVAL = " without retrieval"  # behind the split's name


def beside(report: Report) -> Report:
    """A report on answers that no passages were given for, under a split's name of its own."""
    return replace(report, split=report.split + RETRIEVAL)


def bought(report: Report, bare: Report) -> Verdict:
    """The paired difference between a report and the one beside it, with its bounds.

    Raises:
        MismatchError: they are not about the same examples.
    """
    same = replace(bare, split=bare.split.removesuffix(RETRIEVAL))
    found = paired(metric_named(report.metric), [report], [same])
    return judge("retrieval", "no retrieval", found, found.p if found else 1.0)
