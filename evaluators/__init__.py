"""How good a candidate is: screens, tasks, cohort training, early rejection, objectives, statistics."""

from evaluators.cohort import CohortRequest, run_cohort
from evaluators.controls import CONTROLS
from evaluators.errors import EvaluationError, TaskError
from evaluators.evaluate import Evaluation, evaluate
from evaluators.machine.backend import Backend
from evaluators.machine.width import probe_width
from evaluators.objectives import OBJECTIVES, Objective, cost, gains
from evaluators.privacy.accountant import epsilon, noise_for
from evaluators.privacy.settings import Privacy
from evaluators.rejection.screens import flags, screen
from evaluators.results.reasons import Kind, Reason
from evaluators.seeds import derive, numpy_generator, torch_generator
from evaluators.tasks import task, task_names
from evaluators.tasks.base import Task, split
from evaluators.tasks.loop_task import LoopTask
from evaluators.tasks.optimisers import SGD, Adam, AdamW
from evaluators.tasks.place import Place
from evaluators.training.schedules import Constant, Cosine, OneCycle

__all__ = [
    "CONTROLS",
    "OBJECTIVES",
    "SGD",
    "Adam",
    "AdamW",
    "Backend",
    "CohortRequest",
    "Constant",
    "Cosine",
    "Evaluation",
    "EvaluationError",
    "Kind",
    "LoopTask",
    "Objective",
    "OneCycle",
    "Place",
    "Privacy",
    "Reason",
    "Task",
    "TaskError",
    "cost",
    "derive",
    "epsilon",
    "evaluate",
    "flags",
    "gains",
    "noise_for",
    "numpy_generator",
    "probe_width",
    "run_cohort",
    "screen",
    "split",
    "task",
    "task_names",
    "torch_generator",
]
