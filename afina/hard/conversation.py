"""A conversation: a prompt and its turns; the system part stays, user prompts override."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from afina.errors import InputError
from afina.hard.prompt import Prompt
from afina.lm.request import Message
from afina.solver import Values


@dataclass(frozen=True)
class Conversation:
    """Turns of user and assistant behind the prompt's system part and examples.

    ``prompt`` is what the conversation began with and gives what stands in front; ``user`` is the
    prompt whose user template is in force now.

    >>> from afina.task.signature import Signature
    >>> prompt = Prompt.of(Signature.parse("question -> answer", instruction="Be brief."))
    >>> talk = Conversation.of(prompt).say({"question": "Who?"}).heard("Ada.").say("And when?")
    >>> [message.role for message in talk.messages()]
    ['system', 'user', 'assistant', 'user']

    Raises: InputError where the system part depends on the row, or sides do not take turns.
    """

    prompt: Prompt
    user: Prompt
    turns: tuple[Message, ...] = ()

    def __post_init__(self) -> None:
        if not self.prompt.fixed:
            raise InputError(
                "expected a system part that names no input, since it stays through all turns; "
                f"came one that names {', '.join(self.prompt.system.names)}"
            )
        for place, message in enumerate(self.turns):
            if message.role != ("user", "assistant")[place % 2]:
                raise InputError(
                    f"expected user and assistant in turn, came {message.role} as turn {place + 1}"
                )

    @classmethod
    def of(cls, prompt: Prompt) -> "Conversation":
        """A conversation before its first turn."""
        return cls(prompt, prompt)

    def say(self, row: str | Values) -> "Conversation":
        """The user's turn: a text as it is, or inputs for the user template in force."""
        turn = Message("user", row) if isinstance(row, str) else self.user.turn(row)
        return replace(self, turns=(*self.turns, turn))

    def heard(self, reply: str) -> "Conversation":
        """The model's turn."""
        return replace(self, turns=(*self.turns, Message("assistant", reply)))

    def with_user(self, text: str) -> "Conversation":
        """From the next turn on, inputs fill another user template; earlier turns stay.

        Raises:
            InputError: the user part is locked, or the template names an unknown field.
        """
        return replace(self, user=self.user.with_user(text))

    def messages(self) -> tuple[Message, ...]:
        """All that is sent: the system part first, then the examples, then the turns."""
        return (*self.prompt.opening(), *self.turns)

    def fit(self, room: int, count: Callable[[Sequence[Message]], int]) -> "Conversation":
        """The conversation without its oldest turns, as few as must go; the last one stays.

        ``count`` says how many tokens messages take. Turns go in pairs, so that a user's turn comes
        first; the system part and the examples stay.

        Raises:
            InputError: there is no room even for the last turn.
        """

        def fits(pairs: int) -> bool:
            return count(replace(self, turns=self.turns[2 * pairs :]).messages()) <= room

        most = max(len(self.turns) - 1, 0) // 2
        dropped = bisect_left(range(most + 1), True, key=fits)
        if dropped > most:
            least = count(replace(self, turns=self.turns[2 * most :]).messages())
            raise InputError(
                f"expected room for the system part, the examples and the last turn, {least} "
                f"tokens, came room for {room}; shorten them"
            )
        return replace(self, turns=self.turns[2 * dropped :])
