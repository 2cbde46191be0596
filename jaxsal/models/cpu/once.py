"""Arrays that a gradient on CPU computes once, where XLA would compute them again in each operation that reads them.

XLA's CPU compiler merges cheap operations into all of their readers. A reader that transposes, as the gradient of a
kernel does with both of its operands, then reads everything such an operation reads in the order of its own outputs,
many times as slowly. XLA takes `optimization_barrier` away before it merges, but it merges nothing into a conditional
whose condition it does not know. Programs that are not differentiated are left as they are.
"""

from typing import TypeVar

import jax
from jax import lax

Arrays = TypeVar("Arrays")


@jax.custom_jvp
def once(arrays: Arrays, kernel: jax.Array) -> Arrays:
    """The same arrays, held in memory by a program that differentiates by them or by the kernel."""
    return arrays


@once.defjvp
def _once_jvp(primals: tuple, tangents: tuple) -> tuple:
    return _held(*primals), tangents[0]


@jax.custom_jvp
def cotangent_once(arrays: Arrays, kernel: jax.Array) -> Arrays:
    """The same arrays; what a gradient brings back for them is held in memory."""
    return arrays


@cotangent_once.defjvp
def _cotangent_once_jvp(primals: tuple, tangents: tuple) -> tuple:
    return primals[0], _held(tangents[0], primals[1])


def _held(arrays: Arrays, kernel: jax.Array) -> Arrays:
    """The arrays out of a conditional; its other side, for a weight of NaN, is linear, as tangents need it, and NaN."""
    weight = lax.stop_gradient(kernel.ravel()[0])

    def times_weight(arrays: Arrays) -> Arrays:
        return jax.tree.map(lambda leaf: leaf * weight.astype(leaf.dtype), arrays)

    return lax.cond(weight == weight, lambda same: same, times_weight, arrays)
