"""Where a remote model is asked, and the key that opens it."""

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from afina.errors import InputError

OPENAI = "https://api.openai.com/v1"
OTHERS_BITS = stat.S_IRWXG | stat.S_IRWXO
KEY_BYTES = 4096  # of a key file, at most
SECRET = 12  # characters: what is shorter stands for "no key" ("EMPTY", "not-needed")
PRINTABLE = re.compile(r"[\x21-\x7e]*")
HIDDEN = "[key]"


class Key:
    """A key that no repr, error or log shows; empty where the endpoint needs none."""

    __slots__ = ("_text",)

    def __init__(self, text: str = "") -> None:
        """Take the key.

        Raises:
            InputError: it has characters that a header cannot carry.
        """
        if not PRINTABLE.fullmatch(text):
            raise InputError(
                "expected a key of printable ASCII without spaces, came other characters in it; "
                "copy it anew (it is not shown here)"
            ) from None
        self._text = text

    def __repr__(self) -> str:
        return f"Key({HIDDEN if self._text else ''})"

    def __bool__(self) -> bool:
        return bool(self._text)

    def __reduce__(self) -> str:
        raise TypeError("a key is not kept; give it anew where it is needed")

    def headers(self) -> dict[str, str]:
        """What tells the server who asks."""
        return {"Authorization": f"Bearer {self._text}"} if self._text else {}

    def hide(self, text: str) -> str:
        """The text without the key."""
        return text.replace(self._text, HIDDEN) if len(self._text) >= SECRET else text

    def hide_bytes(self, data: bytes) -> bytes:
        """The bytes without the key."""
        if len(self._text) < SECRET:
            return data
        return data.replace(self._text.encode(), HIDDEN.encode())


@dataclass(frozen=True)
class Endpoint:
    """A base URL (``https://host/v1``) and its key; https unless it is this machine."""

    url: str
    key: Key = field(default_factory=Key)

    def __post_init__(self) -> None:
        """Check the URL.

        Raises:
            InputError: it is no base URL, or the key would travel in the clear.
        """
        object.__setattr__(self, "url", checked(self.url))


def checked(url: str) -> str:
    """A base URL without its last slash.

    Raises:
        InputError: it is none, or a remote one without https.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host = ""
    if not host or not PRINTABLE.fullmatch(url):
        raise InputError(f"expected a base URL such as {OPENAI}, came none that can be read")
    if parts.username is not None or parts.query or parts.fragment:
        raise InputError(
            f"expected a base URL such as {OPENAI}, came one with a user, a query or a fragment "
            f"for {host}; leave that out: a key belongs into OPENAI_API_KEY or a key file"
        )
    if parts.scheme != "https" and not (parts.scheme == "http" and loopback(host)):
        raise InputError(
            f"expected https for {host}, came {parts.scheme!r}: the key and the texts would "
            "travel in the clear; http is for this machine alone (localhost, 127.0.0.1, ::1)"
        )
    return url.rstrip("/")


def loopback(host: str) -> bool:
    """Whether a host is this machine, by its name alone."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def endpoint_from(environment: Mapping[str, str], file: Path | None = None) -> Endpoint:
    """The endpoint of ``OPENAI_BASE_URL`` with the key in a file, or else ``OPENAI_API_KEY``.

    Raises:
        InputError: the URL or the key cannot be used, or a remote endpoint has no key.
    """
    key = read_key(file) if file else Key(environment.get("OPENAI_API_KEY", "").strip())
    endpoint = Endpoint(environment.get("OPENAI_BASE_URL") or OPENAI, key)
    if not key and not loopback(urlsplit(endpoint.url).hostname or ""):
        raise InputError(
            f"expected a key for {endpoint.url}, came none; set OPENAI_API_KEY, or name a file "
            "that holds it and that only you can read"
        )
    return endpoint


def read_key(path: Path) -> Key:
    """The key that stands alone in a file which only its owner can read.

    Raises:
        InputError: others can read the file, or it holds no key.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise InputError(f"cannot read the key file {path}: {error.strerror}") from error
    try:
        mode = os.fstat(handle).st_mode
        if not stat.S_ISREG(mode):
            raise InputError(f"{path}: expected a file that holds a key, came no plain file")
        if mode & OTHERS_BITS:
            raise InputError(
                f"{path}: expected a key file that only you can read, came mode "
                f"{stat.S_IMODE(mode):04o}; run: chmod 600 {path}"
            )
        data = os.read(handle, KEY_BYTES + 1)
    finally:
        os.close(handle)
    key = data.strip().decode("ascii", errors="replace") if len(data) <= KEY_BYTES else ""
    if not key or not PRINTABLE.fullmatch(key):
        raise InputError(f"{path}: expected one line that is a key, came something else")
    return Key(key)
