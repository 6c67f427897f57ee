"""A solver's score on dev, as training asks for it."""

from afina.soft.soft_solver import SoftSolver
from afina.task.task import Task


def dev_score(solver: SoftSolver, task: Task) -> float:
    """The task's metric over its dev examples; every row of a local model has an answer."""
    name = task.signature.target.name
    predictions = solver([example.inputs for example in task.dev])
    wanted = [example.outputs[name] for example in task.dev]
    got = [prediction.outputs[name] for prediction in predictions if prediction.outputs]
    return task.metric.score(got, wanted)
