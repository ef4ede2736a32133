"""MNIST and its kin from tiny files of the hub's format, which the test writes."""

from __future__ import annotations

import builtins
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from evaluators.errors import TaskError
from evaluators.tasks import task
from evaluators.tasks.base import Part, Task
from evaluators.tasks.shipped import image_sets
from evaluators.training.member import CohortMember, Schedule
from evaluators.training.train import train
from primitives.expression.parsing import parse

SIZES = {"train": 90, "test": 60}
SPLITS: dict[Part, str] = {"search": "train", "confirmation": "test"}


def png(pixels: np.ndarray) -> dict[str, Any]:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return {"bytes": file.getvalue(), "path": None}


def write(folder: Path, source: image_sets.Source) -> dict[str, np.ndarray]:
    """A set's two files; returns its pixels. The first pixel of an image is its label."""
    import pyarrow as pa
    from pyarrow import parquet

    rng = np.random.default_rng(0)
    shape = (28, 28) if source.channels == 1 else (32, 32, 3)
    features = {source.image: {"_type": "Image"}, source.label: {"dtype": "int64", "_type": "Value"}}
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    written = {}
    folder.mkdir(parents=True)
    for name, size in SIZES.items():
        written[name] = rng.integers(0, 256, (size, *shape), dtype=np.uint8)
        labels = written[name].reshape(size, -1)[:, 0] = rng.integers(0, source.classes, size)
        columns = {source.image: pa.array([png(p) for p in written[name]], type=kind), source.label: pa.array(labels)}
        table = pa.table(columns).replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
        parquet.write_table(table, folder / f"{name}-00000-of-00001.parquet")
    return written


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder; the library keeps what it reads beside it."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setenv(image_sets.FOLDER, str(tmp_path / "data"))
    image_sets._images.cache_clear()
    return tmp_path / "data"


@pytest.mark.parametrize("kind", image_sets.SOURCES)
def test_images_are_those_of_the_files(kind: str, cached: Path) -> None:
    written = write(cached / kind, image_sets.SOURCES[kind])
    chosen = task(kind)
    for part, name in SPLITS.items():
        pixels, labels = image_sets._images(kind, part)
        own = torch.from_numpy(written[name]).view(SIZES[name], *written[name].shape[1:3], -1).permute(0, 3, 1, 2)
        found = (pixels * 255).round().to(torch.uint8)
        assert sorted(map(bytes, found.flatten(1).numpy())) == sorted(map(bytes, own.flatten(1).numpy()))
        assert torch.equal(found.flatten(1)[:, 0].long(), labels)
        x, y = chosen.data(part)
        assert x.shape[1] == image_sets.SOURCES[kind].channels
        assert torch.equal(y, labels)
    search = chosen.data("search")[0]
    assert abs(float(search.mean())) < 1e-5
    assert float(search.std()) == pytest.approx(1.0, abs=1e-4)
    train(chosen, "confirmation", [CohortMember(parse("relu(x)"), (1,))], Schedule(1, (), (1e-3,)))


def test_a_set_that_is_not_there(cached: Path) -> None:
    message = (
        "task 'mnist': cannot load train images from .*data/mnist: .*set ACTSEARCH_DATA to a folder in which mnist/"
    )
    with pytest.raises(TaskError, match=message):
        task("mnist").data("search")


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = builtins.__import__

    def refuse(name: str, *rest: Any) -> Any:
        if name == "datasets":
            raise ImportError(name)
        return usual(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    image_sets._images.cache_clear()
    with pytest.raises(TaskError, match=r"task 'mnist' needs the library datasets: pip install 'actsearch\[data\]'"):
        task("mnist").data("search")


@pytest.mark.parametrize("kind", image_sets.SOURCES)
def test_larger_has_more_parameters(kind: str) -> None:
    chosen, larger = task(kind), task(kind).larger()
    assert isinstance(larger, Task)
    sizes = [sum(p.numel() for p in each.network().parameters()) for each in (chosen, larger)]
    assert sizes[0] < sizes[1]
