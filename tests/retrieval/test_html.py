"""What is read of HTML: what a reader sees, by paragraphs."""

import time

import pytest

from afina.retrieval.html import read_html

PAGE = """<!doctype html><html><head><title> A  page </title><style>p {x: y}</style></head>
<body><script>alert("no")</script><h1>Head</h1><p>One <b>bold</b>face
word.</p><!-- no --><div>Two<p>Three</p>Four</div><table><tr><td>a</td><td>b</td></tr></table>
<ul><li>five<li>six</ul>a<br>b &amp; c &lt;p&gt;<template>no</template></body></html>"""


def test_a_page_is_its_title_and_its_paragraphs() -> None:
    title, text = read_html(PAGE.encode())
    assert title == "A page"
    assert text.split("\n\n") == [
        *("Head", "One boldface word.", "Two", "Three", "Four", "a b", "five", "six"),
        "a b & c <p>",
    ]


def test_a_page_in_the_encoding_it_names_is_read() -> None:
    page = '<html><head><meta charset="iso-8859-1"></head><body>coração</body></html>'
    assert read_html(page.encode("latin-1")) == ("", "coração")


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (b'<meta charset="ascii"><p>\x81', "expected ascii, which the page names"),
        (b"<p>cora\xe7", "expected UTF-8, came the byte 0xe7"),
        (b'<meta charset="none-such"><p>x', "expected an encoding that there is, came 'none-such'"),
        (b'<meta charset="rot13"><p>x', "save the file as UTF-8"),
        (b"<p>a\0b", "NUL"),
    ],
)
def test_a_page_whose_characters_cannot_be_told_is_refused(page: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read_html(page)


@pytest.mark.parametrize(
    "page",
    [
        "<div>" * 20_000 + "deep",
        "<" * 20_000,
        "<!--" * 20_000,
        "<a " * 20_000,
        "&" * 20_000,
        "<script>" + "</" * 20_000,
        *("<!--" * 20_000 + ">", "<a " * 20_000 + ">", '<a "' * 20_001 + ">", "<a '\">" * 20_001),
        *("<script>" * 20_000, "<script></style" * 20_000 + ">", "<a \"'" * 20_001 + ">"),
    ],
)
def test_a_hostile_page_takes_no_longer_than_its_length_warrants(page: str) -> None:
    began = time.process_time()
    read_html(page.encode())
    assert time.process_time() - began < 2


def test_a_tag_that_is_never_closed_hides_nothing_behind_its_parent() -> None:
    assert read_html(b"<template><noscript>no</template><p>yes") == ("", "yes")


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ('<a title="x > y">z</a>', "z"),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
        ("a <!-- > --> b <!doctype x> c <? d ?> e", "a b c e"),
        ("a<SCRIPT>1 < 2 </p></SCRIPT >b", "ab"),
        ("a<script src='x'/>b</script>c", "ac"),
        ("&lt;b&gt; &eacute;&#233;&nbsp;x", "<b> éé x"),
        ("a <b", "a <b"),
    ],
)
def test_what_is_no_text_is_left_out(page: str, text: str) -> None:
    assert " ".join(read_html(page.encode())[1].split()) == text


def test_only_the_pages_own_title_is_its_title() -> None:
    page = b"<template><title>no</title></template><title>A</title><p>b"
    assert read_html(page) == ("A", "b")
