"""A prompt's layouts differ in form alone."""

import pytest

from afina.errors import InputError
from afina.hard.layouts import LAYOUTS, layouts
from afina.hard.prompt import Prompt
from afina.task.example import Example
from afina.task.signature import Signature

SIGNATURE = Signature.parse("review, place -> mood: good | bad", instruction="Tell the mood.")
ROW = {"review": "A {{ bore }} | of: it\n=", "place": "Faro"}
SHOWN = Example.of({"review": "Loved it.", "place": "Braga"}, {"mood": "good"})


def turns(prompt: Prompt) -> list[str]:
    return [message.content for message in prompt.messages(ROW)]


def test_there_are_more_than_five_that_all_differ() -> None:
    found = {name: "\n".join(turns(each)) for name, each in layouts(Prompt.of(SIGNATURE)).items()}
    assert len(found) >= 5
    assert len(set(found.values())) == len(found)


@pytest.mark.parametrize("name", [*LAYOUTS, "labels turned"])
def test_values_labels_and_examples_are_the_same_in_all(name: str) -> None:
    prompt = layouts(Prompt.of(SIGNATURE, (SHOWN,)))[name]
    system, shown, answer, row = turns(prompt)
    for value in ROW.values():
        assert row.count(value) == 1
    assert "Loved it." in shown
    assert answer == "good"
    assert "Tell the mood." in system
    assert "good" in system
    assert "bad" in system
    assert row.casefold().rstrip(":= ").endswith("mood")


def test_the_layouts_are_those_written_down() -> None:
    found = {name: turns(each)[-1] for name, each in layouts(Prompt.of(SIGNATURE)).items()}
    row = ROW["review"]
    assert found["as written"] == f"review: {row}\nplace: Faro\nmood:"
    assert found["capital"] == f"Review: {row}\nPlace: Faro\nMood:"
    assert found["upper"] == f"REVIEW:: {row}\nPLACE:: Faro\nMOOD::"
    assert found["equals"] == f"review = {row}\nplace = Faro\nmood ="
    assert found["own lines"] == f"review:\n{row}\n\nplace:\nFaro\n\nmood:"
    assert found["bars"] == f"review: {row} | place: Faro | mood:"
    assert "bad | good" in turns(layouts(Prompt.of(SIGNATURE))["labels turned"])[0]


def test_a_target_without_labels_has_none_to_turn() -> None:
    assert "labels turned" not in layouts(Prompt.of(Signature.parse("question -> answer")))


def test_a_template_of_its_own_is_refused() -> None:
    prompt = Prompt.of(SIGNATURE, open=("user",)).with_user("{{ review }}?")
    with pytest.raises(InputError, match="a template of its own"):
        layouts(prompt)
