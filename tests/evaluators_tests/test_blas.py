"""The product of matrices that the engine calls is right, or is not taken; and what tells two engines apart."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from evaluators.native import blas as blas_module
from evaluators.native.blas import ALIGNMENT, Blas, aligned, blas, gemm, works
from evaluators.training.chains import identity
from evaluators.training.chains.identity import TORCH, digest, probed, products

PRECISIONS = pytest.mark.parametrize("double", [False, True], ids=["float32", "float64"])
Pointers = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 13)


@pytest.fixture(autouse=True)
def asked_anew() -> Iterator[None]:
    for cached in (blas, digest):
        cached.cache_clear()
    yield
    for cached in (blas, digest):
        cached.cache_clear()


def address(function: object) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0  # type: ignore[arg-type]


@PRECISIONS
def test_torchs_or_scipys_is_found_and_right(double: bool) -> None:
    found = blas(double)
    assert found.name.endswith((" of torch", " of scipy")) and works(found.address, double)
    rng = np.random.default_rng(0)
    for rows, columns, inner in ((45, 33, 10), (1, 64, 64), (64, 10, 33)):
        a, b, c = (aligned(shape, double) for shape in ((rows, inner), (inner, columns), (rows, columns)))
        a[:], b[:] = rng.standard_normal(a.shape), rng.standard_normal(b.shape)
        gemm(found.address, double)(a, b, c)
        bound = inner * np.finfo(c.dtype).eps * np.abs(a) @ np.abs(b)  # of any order of sums
        assert (np.abs(c - a.astype(np.float64) @ b.astype(np.float64)) <= bound).all()


@PRECISIONS
def test_scipys_is_taken_where_torch_has_none(double: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Blas:
        raise AttributeError(name)

    monkeypatch.setattr(blas_module, "_of_torch", missing)
    found = blas(double)
    assert found.name.endswith(" of scipy") and works(found.address, double)


def test_where_none_is_right_the_engine_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that does nothing, as one of 64-bit numbers does here."""
    idle = Pointers(lambda *_: None)
    monkeypatch.setattr(blas_module, "_of_torch", lambda name: Blas("idle", address(idle)))
    monkeypatch.setattr(blas_module, "_of_scipy", lambda name: Blas("idle", address(idle)))
    assert blas() == Blas("own", 0)


def test_one_that_is_wrong_in_a_layout_or_beyond_the_matrix_is_seen() -> None:
    """Each is the right one with a fault of its own."""
    right = Pointers(blas().address)
    one = ctypes.c_float(1.0)

    def no_transposed(*given: int) -> None:
        if ctypes.c_char.from_address(given[0]).value == b"N":
            right(*given)

    def no_scale(*given: int) -> None:
        right(*given[:5], ctypes.addressof(one), *given[6:])

    def writes_below(*given: int) -> None:
        right(*given)
        rows = ctypes.c_int.from_address(given[2]).value
        ctypes.c_float.from_address(given[11] + 4 * rows).value = 77.0

    def faithful(*given: int) -> None:
        right(*given)

    pointers = [Pointers(function) for function in (faithful, no_transposed, no_scale, writes_below)]
    assert [works(address(pointer), False) for pointer in pointers] == [True, False, False, False]


def test_a_function_of_64_bit_numbers_finds_no_size() -> None:
    seen: list[int] = []

    def note(*given: int) -> None:
        seen.extend(ctypes.c_int64.from_address(given[index]).value for index in (2, 3, 4, 7, 9, 12))

    function = Pointers(note)
    a = aligned((4, 4), False)
    gemm(address(function), False)(a, a, aligned((4, 4), False))
    assert len(seen) == 6 and max(seen) < 0


@PRECISIONS
def test_buffers_are_aligned(double: bool) -> None:
    for size in range(1, 40):
        made = aligned((size, 3), double)
        assert made.ctypes.data % ALIGNMENT == 0 and made.flags.f_contiguous and not made.any()


@PRECISIONS
def test_the_probe_is_the_same_each_time_and_looks_at_ten_products(double: bool) -> None:
    first, second = list(products(double)), list(products(double))
    assert first == second
    assert len(first) == 1 + 10 and len(set(first)) == 11


def test_the_digest_changes_with_keys_parts_and_bits() -> None:
    def part(last: bytes) -> identity.Part:
        return lambda double: iter((b"a", last))

    digests = [
        probed(["k"], (part(b"b"),)),
        probed(["l"], (part(b"b"),)),
        probed(["k"], (part(b"c"),)),
        probed(["k"], (part(b"b"), part(b"b"))),
        probed(["k"], ()),
    ]
    assert len(set(digests)) == len(digests)
    assert probed(["k"], (part(b"b"),)) == digests[0]
    assert all(len(each) == 16 and int(each, 16) >= 0 for each in digests)


def test_pieces_are_told_apart_by_their_borders() -> None:
    assert probed([], (lambda double: iter((b"ab", b"c")),)) != probed([], (lambda double: iter((b"a", b"bc")),))


def test_two_processes_have_one_digest() -> None:
    code = "from evaluators.training.chains.identity import PARTS, probed; print(probed([], PARTS))"
    said = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout for _ in range(2)]
    assert said[0] == said[1] == probed([], identity.PARTS) + "\n"


def test_without_an_engine_it_is_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "engine", lambda: "there is none")
    assert digest() == TORCH
