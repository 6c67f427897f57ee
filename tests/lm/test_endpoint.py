from pathlib import Path

import pytest

from afina.errors import InputError
from afina.lm.endpoint import OPENAI, Endpoint, Key, endpoint_from, read_key

CANARY = "sk-canary-0123456789abcdef"


@pytest.mark.parametrize(
    "url",
    [
        "https://api.openai.com/v1",
        "https://host.example:8443/a/b/",
        "http://localhost:8000/v1",
        "http://127.0.0.1:8000",
        "http://127.9.9.9/v1",
        "http://[::1]:8000/v1",
    ],
)
def test_a_base_url_is_https_or_this_machine(url: str) -> None:
    assert Endpoint(url).url == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "http://api.openai.com/v1",
        "http://127.0.0.1.evil.example/v1",
        "http://localhost.evil.example/v1",
        "http://10.0.0.1/v1",
        "http://0.0.0.0/v1",
        "http://[::ffff:10.0.0.1]/v1",
        "ftp://localhost/v1",
        "file://localhost/etc/passwd",
    ],
)
def test_what_would_travel_in_the_clear_is_refused(url: str) -> None:
    with pytest.raises(InputError, match="expected https for"):
        Endpoint(url)


@pytest.mark.parametrize(
    "url", ["", "api.openai.com/v1", "https://", "https://[::1/v1", "https://h:x/", "https://h /"]
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(InputError, match="expected a base URL"):
        Endpoint(url)


@pytest.mark.parametrize(
    "url", [f"https://{CANARY}@host/v1", f"https://host/v1?key={CANARY}", f"https://h/#{CANARY}"]
)
def test_a_key_in_the_url_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(InputError, match="a key belongs into") as refused:
        Endpoint(url)
    assert CANARY not in str(refused.value)


def test_the_key_is_in_the_header_alone() -> None:
    endpoint = Endpoint(OPENAI, Key(CANARY))
    assert endpoint.key.headers() == {"Authorization": f"Bearer {CANARY}"}
    assert CANARY not in repr(endpoint) + str(endpoint.key)
    assert Key().headers() == {}
    assert endpoint.key.hide(f"a {CANARY} b {CANARY}") == "a [key] b [key]"
    assert Key("EMPTY").hide("EMPTY") == "EMPTY"


def test_the_environment_gives_address_and_key() -> None:
    found = endpoint_from({"OPENAI_BASE_URL": "https://host/v1/", "OPENAI_API_KEY": f" {CANARY}\n"})
    assert found.url == "https://host/v1"
    assert found.key.headers() == {"Authorization": f"Bearer {CANARY}"}
    assert endpoint_from({"OPENAI_API_KEY": CANARY}).url == OPENAI


def test_a_remote_endpoint_wants_a_key_and_this_machine_none() -> None:
    with pytest.raises(InputError, match="set OPENAI_API_KEY, or name a file"):
        endpoint_from({"OPENAI_API_KEY": ""})
    assert not endpoint_from({"OPENAI_BASE_URL": "http://localhost:1/v1"}).key


def test_a_key_file_goes_before_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(f"{CANARY}\n")
    path.chmod(0o600)
    found = endpoint_from({"OPENAI_API_KEY": "another"}, path)
    assert found.key.headers() == {"Authorization": f"Bearer {CANARY}"}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o660, 0o777])
def test_a_key_file_that_others_can_open_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key"
    path.write_text(CANARY)
    path.chmod(mode)
    with pytest.raises(InputError, match=rf"came mode {mode:04o}; run: chmod 600") as refused:
        read_key(path)
    assert CANARY not in str(refused.value)


@pytest.mark.parametrize("text", ["", " \n", f"{CANARY}\n{CANARY}", f"{CANARY}é", "k" * 5000])
def test_a_file_that_holds_no_key_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "key"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(InputError, match="expected one line that is a key") as refused:
        read_key(path)
    assert CANARY not in str(refused.value)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no plain file"):
        read_key(tmp_path)
    with pytest.raises(InputError, match="No such file"):
        read_key(tmp_path / "none")


def test_a_key_that_would_break_the_header_is_refused_and_not_shown() -> None:
    with pytest.raises(InputError, match="printable ASCII") as refused:
        Key(f"{CANARY}\r\nX-Evil: 1")
    assert CANARY not in str(refused.value)
