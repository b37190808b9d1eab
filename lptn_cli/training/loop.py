"""The training loop: steps, moving average, measurement on held-back photos, checkpoints to resume from."""

from __future__ import annotations

import io
import json
import math
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from lptn_cli.atomic import write_atomic
from lptn_cli.branches import Variant
from lptn_cli.checkpoint import UNREADABLE
from lptn_cli.errors import NoMemoryError, OutputError, StartError, WriteError
from lptn_cli.memory import memory_told
from lptn_cli.network import LPTN, channels_last
from lptn_cli.signals import Stop
from lptn_cli.training.optimizer import Optimizer
from lptn_cli.training.reading import Pixels8

WARM_UP_STEPS = 50
EMA_DECAY = 0.995
CHECKPOINT_SECONDS = 120.0
NOTHING = "nothing was kept yet"
ANEW = "anew in another --work folder, with --start from the preset that it made"


@dataclass(frozen=True)
class Step:
    """What one step reports. `measured` is there after a measurement on the held-back photos."""

    number: int
    seconds: float  # of training so far, earlier runs included
    loss: float
    measured: Mapping[str, float] | None = None

    def sentence(self) -> str:
        text = f"step {self.number}, {self.seconds / 60:.1f} min, loss {self.loss:.4f}"
        return text + "".join(f", {name} {value:.4g}" for name, value in (self.measured or {}).items())

    def as_json(self) -> str:
        record: dict[str, Any] = {"step": self.number, "seconds": round(self.seconds, 1), "loss": self.loss}
        return json.dumps(record | ({"measured": dict(self.measured)} if self.measured else {}))


Translate = Callable[[Tensor], Tensor]  # a network: images in, images out


class Objective(Protocol):
    """What a run learns from: photos in memory, the loss of one step, figures of a network."""

    learning_rate: float
    kernel_rate: float | None  # see Optimizer

    @property
    def examples(self) -> Sequence[Pixels8]:
        """Held-back photos to show, (h, w, 3) uint8 each."""

    def loss(self, network: Translate, generator: torch.Generator) -> Tensor:
        """The loss of one fresh batch; every random number comes from the generator."""

    def measure(self, network: LPTN) -> Mapping[str, float]:
        """Figures on the held-back photos, by name."""

    def state(self) -> dict[str, Any]:
        """What the objective itself has learned (a discriminator, say), for the checkpoint."""

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on with that state."""


class Trainer:
    """Trains one network towards an objective; keeps a moving average of the weights.

    The averaged network, `averaged`, is what is measured and what becomes the preset. Everything random comes
    from one generator, whose state is part of the checkpoint. `options` are those of the command line that a
    run to be resumed must share.
    """

    def __init__(
        self,
        network: LPTN,
        objective: Objective,
        device: torch.device,
        seed: int = 0,
        options: Mapping[str, int | str | None] | None = None,
    ) -> None:
        self.objective, self.device = objective, device
        self.options = dict(options or {})
        self.network = channels_last(network.to(device)).train()
        self.averaged = {key: value.clone() for key, value in network.state_dict().items()}
        self.optimizer = Optimizer(network, objective.learning_rate, objective.kernel_rate)
        self.generator = torch.Generator().manual_seed(seed)
        self.step, self.seconds = 0, 0.0
        self.run_id = secrets.token_hex(8)  # of this run, and of those that resume it
        self.said: dict[str, Any] = {}  # of the preset, kept for those that resume this run

    def run(
        self,
        minutes: float,
        checkpoint: Path,
        on_step: Callable[[Step], None],
        stop: Stop,
        on_checkpoint: Callable[[Trainer], None],
    ) -> None:
        """Train until `minutes` are used up or a stop is asked; checkpoints on the way and at the end."""
        started = time.monotonic() - self.seconds
        saved, kept, begun_at = time.monotonic(), self.step, self.step
        while not stop.asked and self.seconds < minutes * 60:
            held = f"{checkpoint} holds step {kept}; go on from it with --resume" if kept else NOTHING
            try:
                with memory_told():
                    loss = self.one_step(self.seconds / (minutes * 60))
            except NoMemoryError:
                remedy = "use a smaller --native-scale, another --device, or close what else needs memory"
                raise StartError(f"not enough memory for step {self.step + 1}; {remedy}; {held}") from None
            if not math.isfinite(loss):
                again = f"begin {ANEW}" if kept and kept == begun_at else held
                raise StartError(f"the loss is {loss} at step {self.step}; {again}")
            self.seconds = time.monotonic() - started
            measured = None
            is_last = stop.asked or self.seconds >= minutes * 60
            if is_last or time.monotonic() - saved > CHECKPOINT_SECONDS:
                measured = self._checkpoint(checkpoint, on_checkpoint)
                saved, kept = time.monotonic(), self.step
            on_step(Step(self.step, self.seconds, loss, measured))
        if kept != self.step:  # the stop was asked while the last step was told
            on_step(Step(self.step, self.seconds, loss, self._checkpoint(checkpoint, on_checkpoint)))

    def one_step(self, progress: float) -> float:
        share = min(1.0, (self.step + 1) / WARM_UP_STEPS)
        share *= 0.5 + 0.5 * math.cos(math.pi * min(1.0, progress))
        with without_plans():
            loss = self.objective.loss(mixed(self.network, self.device), self.generator)
            self.optimizer.step(loss, share)
        self.step += 1
        decay = min(EMA_DECAY, self.step / (self.step + 10))
        for key, value in self.network.state_dict().items():
            self.averaged[key].lerp_(value, 1 - decay)
        return float(loss.detach())

    def _checkpoint(self, path: Path, on_checkpoint: Callable[[Trainer], None]) -> Mapping[str, float]:
        buffer = io.BytesIO()
        torch.save(self.state(), buffer)
        try:
            write_atomic(path, buffer.getvalue(), overwrite=True, option="--work")
        except WriteError as error:
            fact = f"cannot write {path}: {error}"
            raise OutputError(f"{fact} with --resume" if path.exists() else fact) from None
        on_checkpoint(self)
        with without_plans():
            return self.objective.measure(self.averaged_network())

    def averaged_network(self) -> LPTN:
        return LPTN.from_state_dict(self.averaged, self.network.variant).to(self.device)

    def state(self) -> dict[str, Any]:
        return {
            "network": self.network.state_dict(),
            "variant": asdict(self.network.variant),
            "averaged": self.averaged,
            "optimizer": self.optimizer.state_dict(),
            "objective": self.objective.state(),
            "generator": self.generator.get_state(),
            "options": self.options,
            "run_id": self.run_id,
            "said": self.said,
            "step": self.step,
            "seconds": self.seconds,
        }

    def resume(self, checkpoint: Path, state: Mapping[str, Any]) -> None:
        """Go on where `checkpoint` ends, of which that is the state, and this its network. Raises StartError:
        damaged."""
        with _undamaged(checkpoint):
            self.network.load_state_dict(state["network"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.objective.resume(state["objective"])
            self.generator.set_state(state["generator"])
            for key, value in self.averaged.items():
                value.copy_(state["averaged"][key])
            self.step, self.seconds = int(state["step"]), float(state["seconds"])
            self.run_id, self.said = str(state["run_id"]), dict(state["said"])


def read_state(checkpoint: Path) -> Mapping[str, Any]:
    """What a run kept. Raises StartError: unreadable, damaged."""
    with _undamaged(checkpoint):
        state: Mapping[str, Any] = torch.load(checkpoint, map_location="cpu", weights_only=True)
        return state


def network_of(checkpoint: Path, state: Mapping[str, Any]) -> LPTN:
    """The network of the run of that state. Raises StartError: damaged, of an earlier lptn."""
    with _undamaged(checkpoint):
        if not isinstance(state["optimizer"], list):
            raise StartError(f"{checkpoint} is of an earlier lptn, which made other steps; begin {ANEW}")
        return LPTN.from_state_dict(state["network"], Variant(**state["variant"]))


def require_like(
    checkpoint: Path,
    state: Mapping[str, Any],
    options: Mapping[str, int | str | None],
    *,
    context: bool | None,
) -> None:
    """Raises StartError: the run of this state had other options, a context or none; None: either will do."""
    with _undamaged(checkpoint):
        differs = [
            f"with {name} {value}" if value else f"without {name}"
            for name, value in state.get("options", {}).items()
            if options.get(name) != value
        ]
        has_context = any(".context." in key for key in state["network"])
        if context is not None and has_context != context:
            differs.append("--context" if has_context else "--no-context")
    if differs:
        remedy = "resume it so, or train with another --work folder"
        raise StartError(f"{checkpoint} is of a run {differs[0]}; {remedy}")


@contextmanager
def _undamaged(checkpoint: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StartError(f"cannot resume from {checkpoint}: {error.strerror}") from None
    except UNREADABLE:  # torch's own text advises to run whatever code the file holds
        fact = f"{checkpoint} is damaged, or no checkpoint of lptn train"
        raise StartError(f"cannot resume: {fact}; begin {ANEW}") from None


def without_plans() -> AbstractContextManager[None]:
    """Convolutions without cuDNN: it plans each anew for every shape, and all batches and photos here are of
    other shapes. On an H200 a step of pairs took 0.4 s with it and 0.09 s without."""
    return torch.backends.cudnn.flags(enabled=False)


def mixed(network: LPTN, device: torch.device) -> Translate:
    """The network with its convolutions in bfloat16, where the device is faster so: NVIDIA GPUs, and CPUs
    with AMX or AVX512-BF16.

    Weights, gradients, pyramid and losses stay in float32. Measured on one core: 1.5 times as fast with AMX,
    1.7 times with AVX512-BF16.
    """
    has = torch.cpu.get_capabilities()
    fast = device.type == "cuda" or bool(has.get("amx_bf16") or has.get("avx512_bf16"))

    def run(images: Tensor) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=fast):
            return network(images)  # type: ignore[no-any-return]

    return run


def near_identity(network: LPTN) -> LPTN:
    """Scale the last layers so that the untrained network changes little: no minutes go into undoing it."""
    with torch.no_grad():
        state = network.state_dict()  # shares memory with the network
        _start_small(state, "trans_low.model.", bias=0.0)
        if network.trans_low.context:
            _start_small(state, "trans_low.context.layers.", bias=0.0)
        _start_small(state, "trans_high.model.", bias=1.0)
        for i in range(network.num_high):  # block(m) = m, through the first of its 16 channels, + a little
            block = f"trans_high.trans_mask_block_{i}."
            state[block + "0.weight"][0], state[block + "0.bias"][0] = 1.0, 0.0
            state[block + "2.weight"].mul_(0.1)[:, 0] = 1.0
            state[block + "2.bias"].zero_()
    return network


def _start_small(state: Mapping[str, Tensor], prefix: str, bias: float) -> None:
    """Give the last layer under `prefix` small weights and this bias."""
    last = max(int(key.removeprefix(prefix).split(".")[0]) for key in state if key.startswith(prefix))
    state[f"{prefix}{last}.weight"].mul_(0.1)
    state[f"{prefix}{last}.bias"].fill_(bias)
