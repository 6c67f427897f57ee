"""Everything a user can cause, as a tree of errors, each with the exit code of the command line.

AfinaError                     1  the user can mend it
├── InputError                 2  bad data or arguments
│   ├── SignatureError            a signature that cannot be read
│   ├── TaskError                 a task folder that cannot be used
│   ├── DataError                 rows that were refused, each with path:line
│   ├── LeakError                 examples that stand in two splits
│   └── ModelError                a model that is not there or cannot serve
├── CallError                  1  a call of a language model that failed for good
│   └── UnreadableError           it came, but it is not what was asked for
├── SealedError                1  the test split was touched where it must not be
├── MismatchError              1  a prompt, run or bundle that belongs to something else
├── BusyError                  1  another live process holds the run
├── ArtefactError              3  a file of ours that is damaged or hostile
├── SpaceError                 4  the disk is full
├── BudgetError                5  the budget is spent
└── Interrupted          130/143  stopped by a signal; the state is kept
"""


class AfinaError(Exception):
    """What was expected, what came, and what to do, in one or two sentences."""

    exit_code = 1


class InputError(AfinaError):
    """Bad data or arguments."""

    exit_code = 2


class SignatureError(InputError):
    """A signature that cannot be read."""


class TaskError(InputError):
    """A task folder that cannot be used."""


class DataError(InputError):
    """Rows that were refused; the message lists them as path:line."""


class LeakError(InputError):
    """Examples that stand in more than one split."""


class ModelError(InputError):
    """A model that is not there, or that cannot do what was asked of it."""


class CallError(AfinaError):
    """A call of a language model that failed after all attempts; its answer is missing."""

    def __init__(self, message: str, *, attempts: int = 1) -> None:
        super().__init__(message)
        self.attempts = attempts


class UnreadableError(CallError):
    """A reply of a language model that cannot be read as the outputs asked for."""


class SealedError(AfinaError):
    """The sealed test split was touched by code that tunes."""


class MismatchError(AfinaError):
    """A prompt, run or bundle that belongs to another model, task or setting."""


class BusyError(AfinaError):
    """Another live process holds the run."""


class ArtefactError(AfinaError):
    """A checkpoint, bundle or store that is damaged or hostile."""

    exit_code = 3


class SpaceError(AfinaError):
    """The disk is full."""

    exit_code = 4


class BudgetError(AfinaError):
    """The budget is spent; the best so far is kept."""

    exit_code = 5


class Interrupted(AfinaError):  # noqa: N818  an event, not a fault
    """Stopped by a signal after the state was kept."""

    def __init__(self, message: str, *, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number
