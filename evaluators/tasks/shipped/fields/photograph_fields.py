"""A photograph from few of its points: between those of a small copy of it, and where a mask has taken most away."""

from __future__ import annotations

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from evaluators.seeds import torch_generator
from evaluators.tasks.base import Part
from evaluators.tasks.shipped.photographs import ImageField, colours, field, points_of, reduced

KEPT = 0.2  # share of the points that a mask leaves
SMALLER = 2  # the small copy has a point for so many by so many


class Superresolution(ImageField):
    """Colours at all points of ``image-inr``'s photograph, from a copy of half its height and width.

    The points that train are the middles of squares of 2 x 2 points, with their mean colours. All points of the
    photograph are judged; none of them has a training point's place. Loss, units and PSNR are those of ``image-inr``.
    """

    title = "image-superres"

    def data(self, part: Part) -> tuple[Tensor, Tensor]:
        return _small(part)

    def held_out(self, part: Part) -> tuple[Tensor, Tensor]:
        return field(part)


class Inpainting(ImageField):
    """Colours of the 80 % of ``image-inr``'s points that a mask hides, from the other 20 %.

    The mask is drawn once for each photograph. Loss, units and PSNR are those of ``image-inr``.
    """

    title = "image-inpaint"

    def data(self, part: Part) -> tuple[Tensor, Tensor]:
        return _masked(part)[0]

    def held_out(self, part: Part) -> tuple[Tensor, Tensor]:
        return _masked(part)[1]


@cache
def _small(part: Part) -> tuple[Tensor, Tensor]:
    """Middles of squares and their colours; what is left over at the lower and the right edge has none."""
    picture = reduced(part)
    places = points_of(*picture.shape[1:]).T.view(2, *picture.shape[1:])
    middles = F.avg_pool2d(places, SMALLER).flatten(1).T
    return middles, colours(F.avg_pool2d(picture, SMALLER))


@cache
def _masked(part: Part) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Points and colours that are seen, and those that are not."""
    points, targets = field(part)
    order = torch.randperm(len(points), generator=torch_generator(0, "image-inpaint", part), device="cpu")
    seen, hidden = order[: int(KEPT * len(points))], order[int(KEPT * len(points)) :]
    return (points[seen], targets[seen]), (points[hidden], targets[hidden])
