"""How many tokens a request reads and writes: at most before it is sent, about where untold."""

from dataclasses import dataclass

from afina.lm.request import Request

TURN = 16  # tokens that a chat template adds to a turn, at most
BYTES = 3  # of UTF-8 a token, about: more in English, fewer elsewhere


@dataclass(frozen=True)
class Tokens:
    """Tokens of one call; ``cached`` are those read that the server had at hand."""

    read: int
    written: int
    cached: int = 0


def most_tokens(request: Request) -> Tokens:
    """No tokenizer makes more of it: a token stands for one byte at least."""
    return Tokens(size(request) + TURN * (len(request.messages) + 1), request.max_tokens)


def about_tokens(request: Request, text: str) -> Tokens:
    """A guess for servers that do not count: a token per three bytes, and four a turn."""
    read = -(-size(request) // BYTES) + 4 * len(request.messages)
    return Tokens(read, -(-length(text) // BYTES))


def size(request: Request) -> int:
    """Bytes of all that the model reads."""
    texts = [each.content for each in request.messages]
    return sum(map(length, [*texts, request.schema, request.tools]))


def length(text: str) -> int:
    """Bytes of a text, of one with half a surrogate pair too."""
    return len(text.encode(errors="surrogatepass"))
