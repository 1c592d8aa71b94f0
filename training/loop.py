"""The training loop of all networks: a schedule by time, averaged weights, checkpoints, a log."""

import copy
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

log = logging.getLogger("training")


@dataclass(frozen=True)
class Schedule:
    """How long and how hard to train; the rate follows time, so that a busy machine ends it too."""

    minutes: float
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    warm_up: float = 0.03
    checkpoint_minutes: float = 6.0
    average_decay: float = 0.998


def _rate(schedule: Schedule, done: float) -> float:
    """Give the share of the full rate at `done` (0..1): warm-up, flat, then linear to zero."""
    if done < schedule.warm_up:
        return max(0.02, done / schedule.warm_up)
    return min(1.0, max(0.0, (1.0 - done) / 0.6))


def _average(averaged: nn.Module, network: nn.Module, decay: float) -> None:
    with torch.no_grad():
        for mean, current in zip(averaged.parameters(), network.parameters(), strict=True):
            mean.lerp_(current, 1 - decay)
        for mean, current in zip(averaged.buffers(), network.buffers(), strict=True):
            if mean.is_floating_point():
                mean.lerp_(current, 1 - decay)
            else:
                mean.copy_(current)


def train(
    network: nn.Module,
    *,
    batch: Callable[[], tuple[Tensor, ...]],
    loss: Callable[[Tensor, tuple[Tensor, ...]], Tensor],
    schedule: Schedule,
    checkpoint: Path,
    report: Callable[[nn.Module], str],
) -> nn.Module:
    """Train until the time is over and return the averaged network.

    `batch` gives (input, targets...), `loss` takes (output, targets); the averaged weights are
    written to `checkpoint` every few minutes, with the line that `report` gives in the log.
    """
    layout = (
        torch.channels_last
        if any(isinstance(m, nn.Conv2d) for m in network.modules())
        else torch.preserve_format
    )
    network = network.to(memory_format=layout)
    averaged = copy.deepcopy(network)
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay
    )
    start = saved = time.monotonic()
    step, running = 0, 0.0
    while (done := (time.monotonic() - start) / (60 * schedule.minutes)) < 1:
        for group in optimiser.param_groups:
            group["lr"] = schedule.learning_rate * _rate(schedule, done)
        value = _step(network, batch(), loss, optimiser, layout)
        # A short memory at first, so that the average does not carry the random start along.
        _average(averaged, network, min(schedule.average_decay, (1 + step) / (10 + step)))
        step, running = step + 1, running + 0.02 * (value - running) if step else value
        if step % 100 == 0:
            log.info("step %d at %.1f%%: loss %.4f", step, 100 * done, running)
        if time.monotonic() - saved > 60 * schedule.checkpoint_minutes:
            _save(averaged, checkpoint, report, step)
            saved = time.monotonic()
    _save(averaged, checkpoint, report, step)
    return averaged.eval()


def _step(
    network: nn.Module,
    batch: tuple[Tensor, ...],
    loss: Callable[[Tensor, tuple[Tensor, ...]], Tensor],
    optimiser: torch.optim.Optimizer,
    layout: torch.memory_format,
) -> float:
    network.train()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = network(batch[0].contiguous(memory_format=layout))
    value = loss(output.float(), batch[1:])
    optimiser.zero_grad(set_to_none=True)
    value.backward()
    nn.utils.clip_grad_norm_(network.parameters(), 5.0)
    optimiser.step()
    return float(value.item())


def _save(
    averaged: nn.Module, checkpoint: Path, report: Callable[[nn.Module], str], step: int
) -> None:
    averaged.eval()
    partial = checkpoint.with_suffix(".partial")
    torch.save(averaged.state_dict(), partial)
    partial.replace(checkpoint)
    log.info("checkpoint at step %d: %s", step, report(averaged))
