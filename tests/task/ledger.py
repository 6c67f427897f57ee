"""A ledger for tests."""

from dataclasses import dataclass, field


@dataclass
class MemoryLedger:
    """Openings kept in memory."""

    openings: list[tuple[str, str]] = field(default_factory=list)

    def record(self, task_digest: str, by: str) -> int:
        self.openings.append((task_digest, by))
        return self.count(task_digest)

    def count(self, task_digest: str) -> int:
        return sum(digest == task_digest for digest, _ in self.openings)
