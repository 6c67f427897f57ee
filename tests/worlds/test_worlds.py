"""The simulator itself: it does what its prompt says, as often as it says, and sees no more."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from afina.lm.request import Message, Request
from afina.program.program import Program
from afina.program.running import traces_of
from tests.worlds.afina_side import (
    WORLDS,
    WorldLM,
    example_of,
    feedback_of,
    program_of,
    shuffled,
    task_of,
    turns_of,
    worth,
)
from tests.worlds.archive import Archive
from tests.worlds.desk import Desk
from tests.worlds.simulated import DISTRACTORS, HELPFUL, Simulated, Temper
from tests.worlds.world import Evidence, World

NAMES = list(WORLDS)


def instructed(program: Program, texts: Mapping[str, str]) -> Program:
    for name, text in texts.items():
        prompt = program.prompts[name]
        signature = replace(prompt.signature, instruction=text)
        program = program.with_prompt(name, replace(prompt, signature=signature))
    return program


def hidden(world: World) -> dict[str, dict[str, str]]:
    """All rules of a world, by prompt."""
    match world:
        case Desk():
            return {"predict": world.queue}
        case Archive():
            return {"search": world.room, "tell": world.style}
    return {"predict": {}}


def told(world: World, program: Program) -> Program:
    """The program whose instructions hold all rules."""
    return instructed(
        program,
        {
            stage: " ".join(world.rule(stage, Evidence(*each)) for each in rules.items())
            for stage, rules in hidden(world).items()
        },
    )


def hits(world: World, program: Program, rows: int = 500) -> float:
    """How often a program is right when it is run."""
    examples = [example_of(row) for row in world.rows("run", rows)]
    lm = WorldLM(Simulated(world, seed=3))
    traces = traces_of(program, [each.inputs for each in examples], lm)
    return sum(t.outputs == e.outputs for t, e in zip(traces, examples, strict=True)) / rows


@pytest.mark.parametrize("name", NAMES)
def test_what_is_drawn_is_as_often_right_as_is_said(name: str) -> None:
    world = WORLDS[name](0)
    plain = program_of(world)
    shown = task_of(world).train[:8]
    for program in (plain, told(world, plain)):
        assert hits(world, program) == pytest.approx(worth(program, world, 500), abs=0.06)
    if len(plain.prompts) == 1:
        prompt = replace(plain.prompts["predict"], demonstrations=shown)
        program = plain.with_prompt("predict", prompt)
        assert hits(world, program) == pytest.approx(worth(program, world, 500), abs=0.06)


def test_rules_matter_at_the_desk_and_examples_in_the_ledger() -> None:
    gains = {}
    for name in ("desk", "ledger"):
        world = WORLDS[name](0)
        plain = program_of(world)
        shown = replace(plain.prompts["predict"], demonstrations=task_of(world).train[:8])
        gains[name] = (
            worth(told(world, plain), world) - worth(plain, world),
            worth(plain.with_prompt("predict", shown), world) - worth(plain, world),
        )
    assert gains["desk"][0] > 0.6 > gains["desk"][1] > 0.1
    assert gains["ledger"][0] == pytest.approx(0, abs=1e-9)
    assert gains["ledger"][1] > 0.2


def test_the_second_stage_is_worth_nothing_without_the_firsts_query() -> None:
    world = Archive(0)
    plain, whole = program_of(world), told(world, program_of(world))
    lost = instructed(plain, {"search": "Search in NOWHERE."})
    first = plain.with_prompt("search", whole.prompts["search"])
    last = plain.with_prompt("tell", whole.prompts["tell"])
    values = [worth(each, world) for each in (lost, plain, first, last, whole)]
    assert values[0] == pytest.approx(values[1], abs=1e-9)
    assert values[1] < min(values[2:4])
    assert max(values[2:4]) < values[4]
    assert values[4] * values[1] == pytest.approx(values[2] * values[3], rel=1e-6)
    assert world.lookup(world.rows("dev", 1)[0].inputs["question"], "no room") != ""


@pytest.mark.parametrize("name", NAMES)
def test_replies_are_the_same_for_the_same_request_and_seed(name: str) -> None:
    world = WORLDS[name](0)
    program, rows = program_of(world), [row.inputs for row in world.rows("dev", 40)]

    def texts(seed: int) -> list[str | None]:
        traces = traces_of(program, rows, WorldLM(Simulated(world, seed)))
        return [turn.text for trace in traces for turn in trace.turns]

    assert texts(1) == texts(1)
    assert texts(1) != texts(2)


def test_malformed_replies_come_at_their_rate() -> None:
    world = Desk(0)
    rows = [row.inputs for row in world.rows("many", 800)]
    plain = program_of(world)
    form = next(phrase for phrase, kind in HELPFUL.items() if kind == "form")
    for program, rate in ((plain, 0.05), (instructed(plain, {"predict": form}), 0.01)):
        traces = traces_of(program, rows, WorldLM(Simulated(world)))
        assert sum(trace.outputs is None for trace in traces) / 800 == pytest.approx(rate, abs=0.02)


def test_a_distractor_lowers_what_a_prompt_is_worth_and_a_wrong_rule_more() -> None:
    world = Desk(0)
    whole = told(world, program_of(world))
    text = whole.prompts["predict"].signature.instruction
    noisy = instructed(whole, {"predict": f"{text} {DISTRACTORS[0]}"})
    topic = next(iter(world.queue))
    wrong = world.rule("predict", Evidence(topic, world.others("predict", world.queue[topic])[0]))
    misled = instructed(whole, {"predict": text.replace(f"about {topic}", "about it") + wrong})
    values = [worth(each, world) for each in (misled, noisy, whole)]
    assert values[0] < values[1] < values[2]


PLAIN = Temper()


def proposal(world: World, text: str, temper: Temper = PLAIN, salt: str = "") -> str:
    return Simulated(world, 0, temper).says((("user", text),), salt)


def test_a_proposer_knows_only_what_it_is_shown() -> None:
    world = Desk(0)
    nothing = [
        proposal(world, "Write an instruction for the queue.", salt=str(n)) for n in range(50)
    ]
    assert not any(world.rules("predict", text) for text in nothing)
    rows = world.rows("train", 6)
    shown = "\n".join(f"{row.inputs['note']}\nqueue: {row.outputs['queue']}" for row in rows)
    keen = Temper(skill=1.0, slip=0.0, grasp=99)
    found = world.rules("predict", proposal(world, f"Write for `queue`.\n{shown}", keen))
    assert {(each.subject, each.says) for each in found} == {
        (each.subject, each.says) for each in world.evidence("predict", shown)
    }
    hidden_now = shown.replace("queue: ", "something: ")
    assert not world.rules("predict", proposal(world, f"Write for `queue`.\n{hidden_now}", keen))


def test_a_proposer_believes_what_was_expected_and_not_what_was_called_wrong() -> None:
    world = Desk(0)
    note = "Case 1: a caller at the mill asks about quartz and waits on Monday."
    expected = world.evidence("predict", f"{note}\nqueue: M7\njudge: wrong; expected: K3")
    assert expected == [Evidence("quartz", "K3")]
    assert world.evidence("predict", f"{note}\nqueue: M7\njudge: wrong") == []
    assert world.evidence("predict", f"{note}\nqueue: M7\njudge: right") == [
        Evidence("quartz", "M7")
    ]


def test_a_proposer_finds_a_few_rules_at_a_time_and_some_wrong() -> None:
    world = Desk(0)
    rows = world.rows("train", 60)
    shown = "\n".join(f"{row.inputs['note']}\nqueue: {row.outputs['queue']}" for row in rows)
    found = [world.rules("predict", proposal(world, shown, salt=str(n))) for n in range(200)]
    assert max(map(len, found)) == Temper().grasp
    wrong = [each.says != world.queue[each.subject] for rules in found for each in rules]
    assert 0.05 < sum(wrong) / len(wrong) < 0.15


def test_the_feedback_tells_which_stage_of_the_archive_went_wrong() -> None:
    world = Archive(0)
    program, example = program_of(world), task_of(world).train[0]
    feedback = feedback_of(world)
    whole = told(world, program)
    (good,) = traces_of(whole, [example.inputs], WorldLM(Simulated(world, 0, Temper(luck=0))))
    room = world.room[next(kind for kind in world.room if f"the {kind} of" in str(example.inputs))]
    lost = replace(good, turns=(replace(good.turns[0], outputs={"query": "NOWHERE"}),))
    assert f"expected the room {room}" in feedback(example, lost)
    odd = replace(good, turns=(good.turns[0], replace(good.turns[1], outputs={"answer": "x"})))
    if room in str((good.turns[0].outputs or {})["query"]):
        assert "expected the end -" in feedback(example, odd)


@pytest.mark.parametrize("name", NAMES)
def test_an_answer_comes_in_the_form_that_dspy_asks_for(name: str) -> None:
    world = WORLDS[name](0)
    model = Simulated(world)
    for stage, (inputs, output) in world.stages.items():
        values = {**world.rows("dev", 1)[0].inputs, "notes": "the shelf says odense"}
        user = "\n\n".join(f"[[ ## {each} ## ]]\n{values[each]}" for each in inputs)
        system = f"Your input fields are:\n1. `x`\nYour output fields are:\n1. `{output}` (str):"
        turns = (("system", system), ("user", user))
        assert model.stage_of(turns) == stage
        text, share = model.oracle(turns)
        assert text.startswith(f"[[ ## {output} ## ]]\n")
        assert 0 < share < 0.5


def test_shuffled_answers_leave_inputs_as_they_are() -> None:
    task = task_of(Desk(0))
    other = shuffled(task, 0)
    assert [each.inputs for each in other.dev] == [each.inputs for each in task.dev]
    assert [each.outputs for each in other.dev] != [each.outputs for each in task.dev]


def test_a_request_is_seen_as_turns() -> None:
    request = Request((Message("system", "a"), Message("user", "b")))
    assert turns_of(request) == (("system", "a"), ("user", "b"))
