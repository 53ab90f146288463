# SPDX-License-Identifier: MIT
"""Host functions: functions of Python that the library calls by a number."""

import itertools
import weakref

from ._ffi import host_fn
from ._handle import callback

_numbers = itertools.count(1)
_known = weakref.WeakValueDictionary()
_pending = {}


class HostFunction:
    """A function of a graph, which has one of these as long as it may call it."""

    def __init__(self, function):
        self.function = function
        self.number = next(_numbers)
        _known[self.number] = self


def once(function):
    """The number of one that is called once."""
    host = HostFunction(function)
    _pending[host.number] = host
    return host.number


def forget(number):
    _pending.pop(number)


def _call(number, error):
    host = _pending.pop(number, None) or _known.get(number)
    # Not that of a graph which went when its stream was reset.
    if host:
        host.function(error)


call = callback(host_fn, _call)
