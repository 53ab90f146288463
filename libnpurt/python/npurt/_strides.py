# SPDX-License-Identifier: MIT
"""Arrays by their strides: parts of them, and the boxes that copies of them are made of."""

import itertools
import operator


def c_order(shape, itemsize):
    """The strides of an array without gaps."""
    sizes = itertools.accumulate(reversed(shape[1:]), operator.mul, initial=itemsize)
    return tuple(reversed(list(sizes)[:len(shape)]))


def extent(shape, strides, itemsize):
    """Bytes from the first element to the end of the last one."""
    if 0 in shape:
        return 0
    return itemsize + sum((n - 1) * stride for n, stride in zip(shape, strides))


def nests(shape, strides, itemsize):
    """Whether each axis steps over all of those after it, as in C order and parts of that."""
    return 0 in shape or all(
        n <= 1 or strides[axis] >= extent(shape[axis + 1:], strides[axis + 1:], itemsize)
        for axis, n in enumerate(shape))


def merge(shape, itemsize, *sides):
    """
    Bytes that are in one piece on all sides, each given by its strides, and the axes around
    them, as few as can be: (number, stride on each side).
    """
    axes = []
    for axis in zip(shape, *sides):
        if axis[0] == 1:
            continue
        if axes and all(outer == axis[0] * inner for outer, inner in zip(axes[-1][1:], axis[1:])):
            axis = axes.pop()[0] * axis[0], *axis[1:]
        axes.append(axis)
    row = itemsize
    if axes and all(stride == itemsize for stride in axes[-1][1:]):
        row *= axes.pop()[0]
    return row, axes


def boxes(dimensions, shape, itemsize, *sides):
    """
    Boxes that are an array together: bytes of a row; number and pitches of the rows and, of three
    dimensions, slices of each box; where each begins, an offset for each side.
    """
    row, axes = merge(shape, itemsize, *sides)
    inner = [axes.pop() if axes else (1, *(0 for _ in sides)) for _ in range(dimensions - 1)]
    starts = [tuple(sum(i * axis[side] for i, axis in zip(index, axes))
                    for side in range(1, len(sides) + 1))
              for index in itertools.product(*(range(n) for n, *_ in axes))]
    return row, inner, [] if 0 in shape else starts


def select(index, shape, strides):
    """What an index of integers, slices and an ellipsis selects: its offset, shape, strides."""
    index = index if isinstance(index, tuple) else (index,)
    given = sum(i is not Ellipsis for i in index)
    if given > len(shape) or len(index) - given > 1:
        raise IndexError(f"{given} indices for an array of {len(shape)} axes")
    index = index if given < len(index) else (*index, Ellipsis)
    at = index.index(Ellipsis)
    index = (*index[:at], *[slice(None)] * (len(shape) - given), *index[at + 1:])
    offset, left = 0, []
    for i, n, stride in zip(index, shape, strides):
        if isinstance(i, slice):
            found = range(n)[i]
            offset += found.start * stride
            left.append((len(found), stride * found.step))
        else:
            offset += range(n)[operator.index(i)] * stride
    shape = tuple(n for n, _ in left)
    # Where no elements are does not matter, and might be behind the end of the memory.
    return 0 if 0 in shape else offset, shape, tuple(stride for _, stride in left)
