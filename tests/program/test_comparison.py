"""Several chains are drawn at once, and one reading of them answers."""

from afina.lm.request import Request
from afina.lm.scripted import ScriptedLM
from afina.program.comparison import multi_chain_comparison
from afina.program.running import traces_of
from afina.task.signature import Signature

SIGNATURE = Signature.parse("question -> answer: int")


def answer(request: Request) -> str:
    if "attempts:" in request.messages[-1].content:
        return "reasoning: the second is right\nanswer: 4"
    return ("reasoning: ``` a guess\nanswer: 5", "reasoning: counted\nanswer: 4", "hm")[
        request.repeat
    ]


def test_the_attempts_that_can_be_read_stand_fenced_and_numbered() -> None:
    lm = ScriptedLM(answer)
    program = multi_chain_comparison(SIGNATURE, 3, 0.6)
    (trace,) = traces_of(program, [{"question": "2 + 2?"}], lm)
    assert trace.outputs == {"reasoning": "the second is right", "answer": 4}
    assert [turn.prompt for turn in trace.turns] == ["attempt"] * 3 + ["compare"]
    assert [turn.repeat for turn in trace.turns] == [0, 1, 2, 0]
    assert trace.turns[1].to_json()["repeat"] == 1
    assert "no number" in str(trace.turns[2].to_json()["reason"])
    shown = str(trace.turns[-1].inputs["attempts"])
    assert shown == (
        "\n[1]\n````\nreasoning: ``` a guess\nanswer: 5\n````"
        "\n[2]\n````\nreasoning: counted\nanswer: 4\n````"
    )
    assert [request.temperature for request in lm.asked] == [0.6] * 3 + [0.0]
