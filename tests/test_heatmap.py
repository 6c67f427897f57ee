"""A heat map is a picture any reader of SVG opens, with the numbers in the right squares."""

import itertools
import random
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from afina.heatmap import LABELS, MARGIN, colour, heat_map

SVG = "{http://www.w3.org/2000/svg}"


def drawing(count: int, title: str = "a title", note: str = "a note") -> tuple[list, ET.Element]:
    chance = random.Random(0)
    rows = [[chance.uniform(-1, 1) for _ in range(count)] for _ in range(count)]
    return rows, ET.fromstring(heat_map(rows, title, note))


def texts(picture: ET.Element) -> list[str]:
    return [str(each.text) for each in picture.iter(f"{SVG}text")]


@pytest.mark.parametrize("count", [1, 3, 20, 90])
def test_every_number_has_its_square(count: int) -> None:
    """Broken by rows in place of columns."""
    rows, picture = drawing(count)
    frame, _ = [rect for rect in picture.iter(f"{SVG}rect") if rect.get("fill") == "none"]
    extent = float(frame.get("width", 0))
    side, seen = extent / count, {}
    for rect in picture.iter(f"{SVG}rect"):
        across = (float(rect.get("x", -1)) - MARGIN) / side
        down = (float(rect.get("y", -1)) - MARGIN) / side
        if 0 <= across < count - 0.1 and rect is not frame:
            for n in range(round(float(rect.get("width", 0)) / side)):
                seen[round(down), round(across) + n] = rect.get("fill")
    places = itertools.product(range(count), repeat=2)
    assert seen == {(down, across): colour(rows[down][across]) for down, across in places}


def test_the_picture_has_a_title_a_note_axes_and_a_legend() -> None:
    _, picture = drawing(3, "Similarity", "cosines")
    found = texts(picture)
    assert found[:2] == ["Similarity", "cosines"]
    assert found[2:8] == ["1", "1", "2", "2", "3", "3"]
    assert found[8:] == ["1", "0.5", "0", "-0.5", "-1"]
    assert picture.findtext(f"{SVG}title") == "Similarity"
    assert picture.findtext(f"{SVG}desc") == "cosines"


@pytest.mark.parametrize("count", [20, 21, 100, 333])
def test_the_numbers_of_many_places_do_not_run_into_each_other(count: int) -> None:
    numbers = [int(text) for text in texts(drawing(count)[1])[2:-5:2]]
    assert numbers[0] == 1
    assert len(numbers) <= LABELS
    assert len({b - a for a, b in itertools.pairwise(numbers)}) == 1


def test_everything_lies_within_the_picture() -> None:
    for count in (1, 30):
        _, picture = drawing(count, "t" * 130)
        width, height = float(picture.get("width", 0)), float(picture.get("height", 0))
        assert width >= MARGIN + 7 * 130
        for each in picture:
            x, y = float(each.get("x", 0)), float(each.get("y", 0))
            assert 0 <= x <= x + float(each.get("width", 0)) <= width
            assert 0 <= y <= y + float(each.get("height", 0)) <= height


@pytest.mark.parametrize(
    "words", ["</text><script>alert(1)</script>", "a & b", "\"quoted\" 'twice'", "]]>", "<!--"]
)
def test_words_are_words_and_no_drawing(words: str) -> None:
    """Broken by leaving out the escape."""
    _, plain = drawing(2)
    _, picture = drawing(2, words, words)
    assert texts(picture)[:2] == [words, words]
    assert [each.tag for each in picture] == [each.tag for each in plain]


def test_a_character_that_xml_has_no_place_for_is_replaced() -> None:
    _, picture = drawing(1, "a\x00b\x1b[2J\ud800\uffff")
    assert texts(picture)[0] == "a�b�[2J��"


def test_numbers_just_above_one_are_drawn_as_one() -> None:
    assert (colour(1.0000001), colour(-1.5)) == (colour(1), colour(-1))


# Machado, Oliveira and Fernandes 2009, https://doi.org/10.1109/TVCG.2009.113, severity 1, on
# linear RGB.
BLINDNESS = {
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


@pytest.mark.parametrize("kind", BLINDNESS)
def test_colour_blind_people_tell_below_zero_and_above_apart(kind: str) -> None:
    """Broken by red and green of one lightness."""

    def seen(code: str) -> np.ndarray:
        parts = np.array([int(code[at : at + 2], 16) for at in (1, 3, 5)]) / 255
        return np.array(BLINDNESS[kind]) @ parts**2.2

    ends = [seen(colour(number)) for number in (-1, 0, 1)]
    for one, other in itertools.combinations(ends, 2):
        assert np.abs(one - other).max() > 0.3
