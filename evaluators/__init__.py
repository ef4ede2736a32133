"""How good a candidate is: screens, tasks, cohort training, early rejection, objectives, statistics."""

from evaluators.backend import Backend
from evaluators.cohort import CONTROLS, CohortRequest, run_cohort
from evaluators.errors import EvaluationError, TaskError
from evaluators.evaluate import Evaluation, evaluate
from evaluators.loop_task import LoopTask
from evaluators.objectives import OBJECTIVES, Objective, cost, gains
from evaluators.reasons import Kind, Reason
from evaluators.screens import flags, screen
from evaluators.seeds import derive, numpy_generator, torch_generator
from evaluators.task import Task, split
from evaluators.tasks import task, task_names
from evaluators.width import probe_width

__all__ = [
    "CONTROLS",
    "OBJECTIVES",
    "Backend",
    "CohortRequest",
    "Evaluation",
    "EvaluationError",
    "Kind",
    "LoopTask",
    "Objective",
    "Reason",
    "Task",
    "TaskError",
    "cost",
    "derive",
    "evaluate",
    "flags",
    "gains",
    "numpy_generator",
    "probe_width",
    "run_cohort",
    "screen",
    "split",
    "task",
    "task_names",
    "torch_generator",
]
