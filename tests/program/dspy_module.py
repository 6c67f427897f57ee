"""Runs a module of DSPy's on a language model of ours; for an interpreter that has dspy."""

import json
import sys
import tempfile
import warnings
from pathlib import Path

warnings.simplefilter("ignore")
import dspy  # noqa: E402

sys.path.append(sys.argv[1])  # behind its own: what Afina needs and dspy's interpreter lacks
from afina.lm.scripted import ScriptedLM  # noqa: E402
from afina.program.dspy_example import examples_of, judged_by  # noqa: E402
from afina.program.dspy_lm import dspy_lm  # noqa: E402
from afina.program.dspy_state import read_state, write_state  # noqa: E402
from afina.program.predict import predict  # noqa: E402
from afina.program.running import traces_of  # noqa: E402
from afina.task.signature import Signature  # noqa: E402


def answer(request):
    said = request.messages[-1].content
    mood = "good" if "fine" in said else "bad"
    return f"[[ ## mood ## ]]\n{mood}\n\n[[ ## completed ## ]]"


text = "review -> mood: Literal['good', 'bad']"
module = dspy.Predict(dspy.Signature(text, "Tell."))
module.demos = [dspy.Example(review="so fine", mood="good")]
lm, own = ScriptedLM(answer, name="demo"), ScriptedLM(answer, name="demo")
dspy.configure(lm=dspy_lm(dspy, lm, temperature=0.0, max_tokens=256))
rows = [{"review": "a fine day"}, {"review": "dull"}]
theirs = [module(**row).mood for row in rows]
folder = Path(tempfile.mkdtemp())
module.save(str(folder / "x.json"))
program = read_state(
    (folder / "x.json").read_bytes(), predict(Signature.parse("review -> mood: good | bad"))
)
ours = [trace.outputs["mood"] for trace in traces_of(program, rows, own)]
(folder / "y.json").write_bytes(write_state(program, {"answer": ""}))
again = dspy.Predict(text)
again.load(str(folder / "y.json"))
example = dspy.Example(review="a fine day", mood="good").with_inputs("review")
(read,) = examples_of([example], program.signature)
judged = judged_by(
    lambda example, pred, trace=None: example.mood == pred.mood, read, {"mood": "good"}
)
json.dump(
    {
        "theirs": theirs,
        "ours": ours,
        "same requests": {str(each.messages) for each in lm.asked}
        == {str(each.messages) for each in own.asked},
        "state": again.dump_state() == module.dump_state(),
        "score": judged.score,
        "calls": lm.calls,
    },
    sys.stdout,
)
