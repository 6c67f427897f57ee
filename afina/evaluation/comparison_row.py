"""A line of a comparison: a method on a model, its score, and all that it took."""

from dataclasses import dataclass

from afina.evaluation.cost import Each
from afina.evaluation.variance import Variance
from afina.solver import Usage


@dataclass(frozen=True)
class ComparisonRow:
    """One line of the table; the score is the mean over seeds, ``label`` is unlike the others'."""

    label: str
    method: str
    model: str
    seeds: tuple[int, ...]
    score: float | None
    low: float | None
    high: float | None
    seed_deviation: float | None
    n: int
    missing: int
    complete: bool
    tuning_seconds: float
    tuning_usage: Usage
    evaluation_seconds: float
    evaluation_usage: Usage
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    parameters: int
    runs: tuple[str, ...]
    each: Each
    examples: int = 0  # of train that were used
    size_bytes: int = 0  # of what is kept of the solver, one seed's
    variance: Variance | None = None
    error: str = ""

    @property
    def seconds(self) -> float:
        """Tuning and evaluation, all seeds."""
        return self.tuning_seconds + self.evaluation_seconds

    @property
    def usage(self) -> Usage:
        """Tuning and evaluation, all seeds."""
        return self.tuning_usage + self.evaluation_usage

    def to_json(self) -> dict[str, object]:
        """The row as plain JSON; what it took is tuning and evaluation together."""
        return {
            "method": self.method,
            "model": self.model,
            "seeds": len(self.seeds),
            "score": self.score,
            "low": self.low,
            "high": self.high,
            "n": self.n,
            "missing": self.missing,
            "seconds": self.seconds,
            "calls": self.usage.calls,
            "tokens": self.usage.tokens,
            "cost": self.usage.cost,
            "latency_ms": {"p50": self.latency_p50_ms, "p95": self.latency_p95_ms},
            "parameters": self.parameters,
            "run": self.runs[0] if len(self.runs) == 1 else list(self.runs),
            "seed_deviation": self.seed_deviation,
            "complete": self.complete,
            "error": self.error,
            "examples": self.examples,
            "bytes": self.size_bytes,
            "tuning": took(self.tuning_seconds, self.tuning_usage),
            "evaluation": took(self.evaluation_seconds, self.evaluation_usage),
            "each_answer": self.each.to_json(),
            "variance": self.variance.to_json() if self.variance else None,
        }


def took(seconds: float, usage: Usage) -> dict[str, object]:
    """Seconds and what was used as plain JSON."""
    return {
        "seconds": seconds,
        "calls": usage.calls,
        "tokens": usage.tokens,
        "cost": usage.cost,
    }
