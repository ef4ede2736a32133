"""What an opcode does, in Triton: NVIDIA's own functions, as torch's kernels on a GPU have them.

Triton's own ``exp`` and division are approximations in float32; those of libdevice are within 2 ulp.
"""

from __future__ import annotations

import triton
import triton.language as tl
from triton.language.extra import libdevice

from primitives.lowering.bytecode.opcodes import OPCODES

# the order is that of primitives/lowering/bytecode/opcodes.py
(
    _ADD, _SUB, _MUL, _DIV, _POW, _MAX, _MIN,
    _GT, _GE, _LT, _LE,
    _SELECT, _SELECT_GT, _SELECT_GE, _SELECT_LT, _SELECT_LE,
    _NEG, _RECIPROCAL, _ABS, _SIGN, _FLOOR, _SQRT,
    _EXP, _EXPM1, _LOG, _LOG1P, _SIN, _COS, _ATAN,
    _SINH, _COSH, _TANH, _ASINH, _ERF, _ERFC,
    _SIGMOID, _SOFTPLUS, _LOG_SIGMOID,
    _SIGMOID_SLOPE, _TANH_SLOPE, _ELU_SLOPE,
    _TANH_SOFTPLUS,
) = (tl.constexpr(number) for number in range(len(OPCODES)))  # fmt: skip


@triton.jit
def operator(op, u, v, w):
    """The result of one opcode; comparisons of the scalar ``op`` are branches that a whole block takes together."""
    if op <= _MIN:
        result = _arithmetic(op, u, v)
    elif op <= _SELECT_LE:
        result = _selection(op, u, v, w)
    elif op <= _SQRT:
        result = _simple(op, u)
    elif op <= _ATAN:
        result = _transcendental(op, u)
    else:
        result = _composite(op, u, v)
    return result


@triton.jit
def _arithmetic(op, u, v):
    if op == _MUL:
        result = u * v
    elif op == _ADD:
        result = u + v
    elif op == _SUB:
        result = u - v
    elif op == _DIV:
        result = libdevice.div_rn(u, v)
    elif op == _MAX:
        result = tl.maximum(u, v, tl.PropagateNan.ALL)
    elif op == _MIN:
        result = tl.minimum(u, v, tl.PropagateNan.ALL)
    else:
        result = libdevice.pow(u, v)
    return result


@triton.jit
def _selection(op, u, v, w):
    if op == _SELECT_GT:
        result = tl.where(u > 0.0, v, w)
    elif op == _SELECT_GE:
        result = tl.where(u >= 0.0, v, w)
    elif op == _SELECT_LT:
        result = tl.where(u < 0.0, v, w)
    elif op == _SELECT_LE:
        result = tl.where(u <= 0.0, v, w)
    elif op == _SELECT:
        result = tl.where(u != 0.0, v, w)
    elif op == _GT:
        result = (u > v).to(u.dtype)
    elif op == _GE:
        result = (u >= v).to(u.dtype)
    elif op == _LT:
        result = (u < v).to(u.dtype)
    else:
        result = (u <= v).to(u.dtype)
    return result


@triton.jit
def _simple(op, u):
    if op == _NEG:
        result = -u
    elif op == _RECIPROCAL:
        result = _reciprocal(u)
    elif op == _ABS:
        result = tl.abs(u)
    elif op == _SIGN:
        result = (u > 0.0).to(u.dtype) - (u < 0.0).to(u.dtype)
    elif op == _FLOOR:
        result = tl.floor(u)
    else:
        result = libdevice.sqrt_rn(u)
    return result


@triton.jit
def _transcendental(op, u):
    if op == _EXP:
        result = libdevice.exp(u)
    elif op == _EXPM1:
        result = libdevice.expm1(u)
    elif op == _LOG:
        result = libdevice.log(u)
    elif op == _LOG1P:
        result = libdevice.log1p(u)
    elif op == _SIN:
        result = libdevice.sin(u)
    elif op == _COS:
        result = libdevice.cos(u)
    else:
        result = libdevice.atan(u)
    return result


@triton.jit
def _composite(op, u, v):
    if op == _TANH:
        result = libdevice.tanh(u)
    elif op == _SIGMOID:
        result = _reciprocal(1.0 + libdevice.exp(-u))
    elif op == _SOFTPLUS:
        result = _softplus(u)
    elif op == _LOG_SIGMOID:
        result = -_softplus(-u)
    elif op == _SIGMOID_SLOPE:
        result = (1.0 - v) * v * u
    elif op == _TANH_SLOPE:
        result = u * (1.0 - v * v)
    elif op == _ELU_SLOPE:
        result = tl.where(v > 0.0, u, u * (v + 1.0))
    elif op == _TANH_SOFTPLUS:
        result = _tanh_softplus(u)
    elif op == _ERF:
        result = libdevice.erf(u)
    elif op == _ERFC:
        result = libdevice.erfc(u)
    elif op == _SINH:
        result = libdevice.sinh(u)
    elif op == _COSH:
        result = libdevice.cosh(u)
    else:
        result = libdevice.asinh(u)
    return result


@triton.jit
def _reciprocal(u):
    return libdevice.div_rn(tl.full(u.shape, 1.0, u.dtype), u)


@triton.jit
def _softplus(u):
    return tl.maximum(u, 0.0, tl.PropagateNan.ALL) + libdevice.log1p(libdevice.exp(-tl.abs(u)))


@triton.jit
def _tanh_softplus(u):
    # tanh(log(1 + e)) of e = exp(u); it is 1 from 20 on
    e = libdevice.exp(tl.minimum(u, 40.0, tl.PropagateNan.ALL))
    n = e * (e + 2.0)
    return libdevice.div_rn(n, n + 2.0)
