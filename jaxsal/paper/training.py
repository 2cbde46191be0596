"""The six networks: trained once, taken up where a killed run left them."""

import dataclasses
import hashlib
import json
import sys
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from jaxsal.classifier import Classifier
from jaxsal.core.files import DamagedError
from jaxsal.core.sealed import read_json, write_json
from jaxsal.datasets.pipeline import ClipSource, load_clips, stream_clips
from jaxsal.datasets.records import TRAINING_SPECTRA, ClipSet
from jaxsal.paper.config import ARCHITECTURES, NetworkConfig, Study
from jaxsal.paper.published import published
from jaxsal.report.sheet import Sheet
from jaxsal.training.accuracy import accuracy_by_spectrum
from jaxsal.training.checkpoint import load_checkpoint
from jaxsal.training.history import input_wait_share, training_seconds
from jaxsal.training.networks import NetworkSpec
from jaxsal.training.pretrained import open_pretrained
from jaxsal.training.train import train
from jaxsal.training.transfer import transferred


class OpenedNetwork(NamedTuple):
    """A network of the study before its training.

    Attributes:
      config: Its configuration.
      spec: What it is.
      clip_set: What it will be trained and tested on.
      classifier: With the weights of the last step taken, or without any.
      steps: Gradient steps to take.
      steps_taken: Those taken already.
    """

    config: NetworkConfig
    spec: NetworkSpec
    clip_set: ClipSet
    classifier: Classifier
    steps: int
    steps_taken: int


class TrainedNetwork(NamedTuple):
    """A network of the study.

    Attributes:
      config: Its configuration.
      spec: What it is.
      clip_set: What it is trained and tested on.
      classifier: With its weights.
      accuracy: By spectrum, the share of right test clips and their number.
      steps: Gradient steps taken.
      minutes: What its steps took, over all starts, without compiling.
      input_wait: The share of that in which the devices waited for input; NaN if no step has a time.
    """

    config: NetworkConfig
    spec: NetworkSpec
    clip_set: ClipSet
    classifier: Classifier
    accuracy: dict[str, tuple[float, int]]
    steps: int
    minutes: float
    input_wait: float


def train_networks(
    study: Study, open_set: Callable[[NetworkConfig], ClipSet], directory: Path, *, num_workers: int | None = None
) -> list[TrainedNetwork]:
    """Trains what is not trained yet, network after network and seed after seed, each in a folder of its name.

    Args:
      study: Its networks.
      open_set: Opens the clips for a network; those of one architecture get the same.
      directory: Where the folders are.
      num_workers: Processes that read clips as batches need them, 0 for threads; all clips are held in memory if None.
    """
    sources: dict[str, tuple[ClipSet, Callable[[str], ClipSource]]] = {}
    trained = []
    for config in study.trained_networks:
        if config.arch not in sources:
            clip_set = open_set(config)
            sources[config.arch] = clip_set, decoder(config.spec(clip_set.classes), clip_set, num_workers=num_workers)
        trained.append(train_network(config, *sources[config.arch], directory / config.name))
    return trained


def decoder(spec: NetworkSpec, clip_set: ClipSet, *, num_workers: int | None = None) -> Callable[[str], ClipSource]:
    """Decodes a split for a network when it is first asked for, or clip by clip where `num_workers` is given."""
    size, sampler, antialias = spec.size, spec.sampler, spec.antialias
    if num_workers is not None:
        stream = partial(stream_clips, size=size, sampler=sampler, antialias=antialias, num_workers=num_workers)
        return lambda split: stream(clip_set.select(split=split))
    load = partial(load_clips, size=size, sampler=sampler, antialias=antialias, progress=True)
    return cache(lambda split: load(clip_set.select(split=split)))


def train_network(
    config: NetworkConfig, clip_set: ClipSet, decode: Callable[[str], ClipSource], directory: Path
) -> TrainedNetwork:
    """Trains one network and tests it; what `directory` holds of the same training is not redone.

    Raises:
      ValueError: If `directory` holds another training.
    """
    config, spec = config.with_classes(clip_set.classes), config.spec(clip_set.classes)
    chosen = clip_set.select(split="train", spectra=TRAINING_SPECTRA[config.spectra])
    identity = _identity(config, clip_set)
    record = directory / "trained.json"
    finished = _finished(record)
    if finished.get("identity") == identity:
        checkpoint = load_checkpoint(directory / "checkpoints", spec=spec)
    else:
        print(f"network {config.name}", file=sys.stderr)
        weights = None
        if config.start is not None:
            weights = transferred(spec, open_pretrained(config.start), seed=config.training.seed)
        clips = only(decode("train"), chosen)
        checkpoint = train(spec, config.training, clips, directory, start=weights, progress=True)
        accuracy = accuracy_by_spectrum(spec, checkpoint.variables, decode("test"))
        finished = dict(identity=identity, accuracy=accuracy)
        write_json(record, finished)
    accuracy = {spectrum: (share, count) for spectrum, (share, count) in finished["accuracy"].items()}
    classifier = spec.classifier(checkpoint.variables)
    history = directory / "history.jsonl"
    minutes, wait = training_seconds(history) / 60, input_wait_share(history)
    return TrainedNetwork(config, spec, clip_set, classifier, accuracy, checkpoint.step, minutes, wait)


def _finished(record: Path) -> dict[str, Any]:
    """What a training that has ended noted; nothing where there is no whole record, and it is tested again."""
    try:
        return read_json(record, "")
    except (FileNotFoundError, DamagedError):
        return {}


def only(clips: ClipSource, chosen: ClipSet) -> ClipSource:
    """The clips of some of the records, in their order."""
    records = {record.name: record for record in clips.clip_set.records}
    return clips._replace(clip_set=ClipSet(chosen.classes, tuple(records[record.name] for record in chosen.records)))


def _identity(config: NetworkConfig, clip_set: ClipSet) -> dict[str, Any]:
    """What a training must share to be the same: its configuration, and the names, labels and splits of the clips."""
    described = json.dumps([(record.name, record.label, record.split) for record in clip_set.records])
    values = dict(dataclasses.asdict(config), clips=hashlib.sha256(described.encode()).hexdigest())
    return json.loads(json.dumps(values))


def networks_sheet(networks: list[TrainedNetwork]) -> Sheet:
    """Test accuracy of the networks, beside the study's."""
    lines = tuple(
        (
            ARCHITECTURES[network.config.arch],
            network.config.spectra,
            network.config.training.seed,
            spectrum,
            network.accuracy[spectrum][1],
            network.accuracy[spectrum][0],
            published("networks", network.config.arch, network.config.spectra, spectrum, "", "accuracy"),
            network.steps,
            network.minutes,
            network.input_wait,
        )
        for network in networks
        for spectrum in TRAINING_SPECTRA[network.config.spectra]
        if spectrum in network.accuracy
    )
    columns = (
        "network",
        "trained on",
        "seed",
        "tested on",
        "test clips",
        "accuracy",
        "published",
        "steps",
        "minutes",
        "input wait",
    )
    note = (
        "Accuracy on clips of people not trained on; minutes of steps over all starts without compiling; input wait: "
        "the share of them in which the devices waited for input. Seed: of the training; all see the same clips. A "
        "network trained on IRTV needs twice the steps to see each of its clips as often as the others."
    )
    return Sheet("networks", "The six networks", note, columns, lines)
