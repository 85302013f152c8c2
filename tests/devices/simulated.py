"""A second device, simulated in the memory of the CPU: for whoever writes code for a GPU and has none.

Torch keeps a place for devices of others, and takes their kernels in Python. Here that device is called "sim", and each
of its kernels is the CPU's, run on the same memory under the CPU's name (`host`). So its tensors are torch's own, with
a device that is not the CPU: autograd, `torch.func`, views and torch's checks treat them as those of a GPU, `numpy()`
refuses them, and results have the CPU's bits. What a GPU refuses and the CPU's kernels would take is refused here:
tensors of two devices in one operation, but for those of no axes and for indices, and draws from the CPU's generator.

`EVENTS` counts what makes a GPU wait: (kind, place), with the kinds

    item        a number is asked for: `item()`, `float(x)`, `if x > 0:`
    to host     a tensor is moved to the CPU
    to device   a tensor is moved from the CPU
    wait        a shape depends on values: `nonzero`, a mask as index, `unique`; and `equal`

and the function of the package, or the cell, that asked for it; `EVENTS["operation", ""]` counts kernels. Not shown:
how fast a GPU is, how its kernels round, and what memory it has. Importing this module makes the device, which must
happen before the process's first backward pass: import it at the head of a file of tests.
"""

import contextlib
import ctypes
import functools
import math
import sys
from collections import Counter
from collections.abc import Iterator

import torch
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

from offconvex import paths, runtime

NAME = "sim"
STANDS_FOR = ("cuda", "cuda:0", NAME, f"{NAME}:0")
"""Names by which the runtime gives this device, once it is installed: what is asked for CUDA gets it."""

EVENTS: Counter[tuple[str, str]] = Counter()

CPU, DEVICE = (1, 12)  # as DLPack counts devices: kDLCPU, kDLExtDev

_aten = torch.ops.aten
_INDEXED = {"aten::index", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_", "aten::_unsafe_index"}
# Composed in C++ for devices that torch knows.
_DIRECT = ("convolution", "convolution_backward", "repeat_interleave.Tensor", "index_put_", "_index_put_impl_")


class _Description(ctypes.Structure):
    """Head of what DLPack hands over: where the data lie, and on which device."""

    _fields_ = [("data", ctypes.c_void_p), ("device", ctypes.c_int32), ("index", ctypes.c_int32)]


_to_dlpack, _from_dlpack, _described = torch._C._to_dlpack, torch._C._from_dlpack, _Description.from_address
_opened = ctypes.pythonapi.PyCapsule_GetPointer
_opened.restype, _opened.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]


def _relabelled(x: torch.Tensor, device: int) -> torch.Tensor:
    # The same memory, kept alive by the result, under the name of another device.
    if x.is_conj():
        return _relabelled(x.conj(), device).conj()
    if x.is_neg():
        return torch._neg_view(_relabelled(torch._neg_view(x), device))
    capsule = _to_dlpack(x.detach())  # whose memory is held, whatever x is made to hold later
    _described(_opened(capsule, b"dltensor")).device = device
    return _from_dlpack(capsule)


def host(x: torch.Tensor) -> torch.Tensor:
    """The memory of a tensor of the simulated device as a tensor of the CPU; writing to one writes to the other."""
    return _relabelled(x, CPU)


class _Rules:
    """What the schema of an operation says, read once."""

    def __init__(self, op):
        schema = op._schema
        self.op, self.name = op, schema.name
        self.outputs = {a.name for a in schema.arguments if a.kwarg_only and a.alias_info and a.alias_info.is_write}
        self.writes = any(a.alias_info and a.alias_info.is_write for a in schema.arguments)
        self.indexed = self.name in _INDEXED
        self.special = _SPECIAL.get(self.name)
        kinds = [str(a.type) for a in schema.arguments]
        self.tensors = [place for place, kind in enumerate(kinds) if kind in ("Tensor", "Optional[Tensor]")]
        self.draws = any("Generator" in kind for kind in kinds)


_rules = functools.cache(_Rules)


def _kernel(op, *args, **kwargs):
    EVENTS["operation", ""] += 1
    rules = _rules(op)
    if rules.special and (done := rules.special(args, kwargs)) is not None:
        return done
    if rules.draws and any(isinstance(a, torch.Generator) and a.device.type == "cpu" for a in kwargs.values()):
        raise RuntimeError(f"Expected a '{NAME}' device type for generator but found 'cpu'")
    pairs: list[tuple[torch.Tensor, torch.Tensor]] = []
    inputs = [_inside(rules, pairs, a) for a in args]
    options = {key: _inside(rules, pairs, a, key in rules.outputs) for key, a in kwargs.items()}
    if options.get("device") is not None:
        options["device"] = torch.device("cpu")
    if options.get("pin_memory") is not None:
        options["pin_memory"] = None
    for place in rules.tensors:
        if place < len(inputs) and isinstance(inputs[place], (bool, int, float, complex)):
            inputs[place] = _number(inputs[place], pairs)
    result = op(*inputs, **options)
    if rules.writes:
        for x, inner in pairs:
            if x.shape != inner.shape or x.stride() != inner.stride():  # an output that was made to fit
                x.data = _relabelled(inner, DEVICE)
    return _outside(pairs, result)


def _number(a, pairs):
    # A number beside tensors, which torch has made a tensor: it takes their type, unless that is of a lesser kind.
    kind = torch.result_type(pairs[0][1], a) if pairs else None
    return torch.scalar_tensor(a, dtype=kind, device="cpu")


def _inside(rules, pairs, a, output=False):
    if isinstance(a, torch.Tensor):
        if not a.is_cpu:
            # The memory of another cannot grow: an output that is to be made to fit is a new one.
            empty = output and not a.numel()
            inner = torch.empty(a.shape, dtype=a.dtype, device="cpu") if empty else _relabelled(a, CPU)
            pairs.append((a, inner))
            return inner
        if a.ndim:
            raise RuntimeError(
                "Expected all tensors to be on the same device, but found at least two devices, "
                f"{NAME}:0 and {a.device}! (when running {rules.op})"
            )
        return a
    if isinstance(a, (list, tuple)) and any(isinstance(t, torch.Tensor) for t in a):
        if not rules.indexed:
            return [_inside(rules, pairs, t) for t in a]
        return [_index(rules, pairs, t) for t in a]
    return a


def _index(rules, pairs, a):
    if isinstance(a, torch.Tensor) and a.is_cpu:
        _count("to device")
        return a
    if isinstance(a, torch.Tensor) and a.dtype in (torch.bool, torch.uint8):
        _count("wait")
    return _inside(rules, pairs, a)


def _outside(pairs, result):
    if isinstance(result, torch.Tensor):
        for x, inner in pairs:
            if inner is result:
                return x
        return _relabelled(result, DEVICE)
    if isinstance(result, (list, tuple)):
        return type(result)(_outside(pairs, r) for r in result)
    return result


def _item(args, kwargs):
    _count("item")


def _waits(args, kwargs):
    if kwargs.get("output_size") is None:
        _count("wait")


def _zeros(args, kwargs):
    zeros = torch.zeros(args[0], dtype=kwargs.get("dtype"), device="cpu")  # not those that have no memory
    return _relabelled(zeros, DEVICE)


def _resized(args, kwargs):
    x, shape = args[:2]
    kept = min(x.numel(), math.prod(shape))
    larger = torch.empty(shape, dtype=x.dtype, device="cpu")
    larger.view(-1)[:kept] = host(x).reshape(-1)[:kept]
    x.data = _relabelled(larger, DEVICE)
    return x


def _copied(args, kwargs):
    source, target = args[:2]
    here, there = (not t.is_cpu for t in (source, target))
    if here != there:
        _count("to host" if here else "to device")
    (_relabelled(target, CPU) if there else target).copy_(_relabelled(source, CPU) if here else source)
    return target


_SPECIAL = {
    "aten::_copy_from": _copied,
    "aten::_efficientzerotensor": _zeros,
    "aten::resize_": _resized,
    "aten::_local_scalar_dense": _item,
} | dict.fromkeys(
    ("aten::nonzero", "aten::masked_select", "aten::equal", "aten::bincount", "aten::_unique", "aten::_unique2")
    + ("aten::unique_dim", "aten::unique_consecutive", "aten::unique_dim_consecutive", "aten::repeat_interleave"),
    _waits,
)


def _count(kind: str) -> None:
    EVENTS[kind, _place()] += 1


def _place() -> str:
    # Function of the package, or cell of a chapter, that is at work.
    frame, outermost = sys._getframe(1), ""
    while frame is not None:
        code, outermost = frame.f_code, frame.f_code.co_filename
        if code.co_filename.startswith(_PACKAGE):
            module = code.co_filename.removeprefix(_PACKAGE).removesuffix(".py").replace("/", ".")
            return f"{module}.{code.co_qualname}"
        if code.co_filename.startswith("cell "):
            return code.co_filename
        frame = frame.f_back
    return "backward" if outermost == __file__ else "elsewhere"  # autograd has a thread for each device


_PACKAGE = f"{paths.PACKAGE}/"
_kept: list[torch.library.Library] = []  # what is registered lives as long as these


def _register() -> None:
    _setup_privateuseone_for_python_backend(NAME)
    anything, aten = torch.library.Library("_", "IMPL"), torch.library.Library("aten", "IMPL")
    _kept.extend((anything, aten))
    anything.fallback(_kernel, "PrivateUse1")
    for key in ("Conjugate", "Negative"):  # `copy_` minds those itself
        aten.impl("_copy_from", torch.library.fallthrough_kernel, key)
    for name in _to_take_over():
        aten.impl(name, functools.partial(_kernel, _overload(name)), "PrivateUse1")


def _overload(name: str):
    packet, _, overload = name.partition(".")
    return getattr(getattr(_aten, packet), overload or "default")


def _to_take_over() -> list[str]:
    # Operations that torch composes of others for every device: what makes tensors out of nothing, since their size is
    # known then, and those with a rule for shapes, which cost two kernels otherwise.
    found = list(_DIRECT)
    for full in torch._C._dispatch_get_all_op_names():
        name = full.removeprefix("aten::")
        if name == full or torch._C._dispatch_has_kernel_for_dispatch_key(full, "PrivateUse1"):
            continue
        if torch._C._dispatch_has_kernel_for_dispatch_key(full, "CompositeExplicitAutogradNonFunctional"):
            found.append(name)
            continue
        if torch._C._dispatch_has_kernel_for_dispatch_key(full, "CompositeExplicitAutograd"):
            try:
                arguments = _overload(name)._schema.arguments
            except (AttributeError, RuntimeError):
                continue  # not reachable from Python
            kinds = [str(a.type) for a in arguments]
            if any(a.name == "device" for a in arguments) and not any("Tensor" in kind for kind in kinds):
                found.append(name)
    return found


@contextlib.contextmanager
def installed() -> Iterator[runtime.Runtime]:
    """Its runtime of float64; while this is open, whoever resolves "cuda" gets the device, and events count from 0."""
    original = runtime.resolve

    @functools.wraps(original)
    def resolve(device="auto", dtype=torch.float64, *, threads=1):
        if str(device) not in STANDS_FOR:
            return original(device, dtype, threads=threads)
        original("cpu", dtype, threads=threads)  # which has opinions on the rest
        return runtime.Runtime(torch.device(NAME, 0), dtype)

    runtime.resolve = resolve
    EVENTS.clear()
    try:
        yield resolve(NAME)
    finally:
        runtime.resolve = original


# At import, since autograd counts the devices once, when it is first used.
_register()
