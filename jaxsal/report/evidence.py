"""The tables that say whether maps can be believed: curves under several baselines, and where the actor is."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from jaxsal.evaluation.explanation import Explanation
from jaxsal.metrics.localization import Mask
from jaxsal.report.actor_sheets import actor_sheets
from jaxsal.report.run_table import run_tables
from jaxsal.report.sheet import Sheet, to_markdown


class Evidence(NamedTuple):
    """What one network's maps were found to be worth.

    Attributes:
      explanations: By baseline of deletion and of insertion, those of the clips.
      masks: By clip, the actor's pixels, (T, H, W).
      accuracy: By spectrum, the share of test clips that the network is right on, and their number.
    """

    explanations: Mapping[str, Sequence[Explanation]]
    masks: Mapping[str, Mask]
    accuracy: Mapping[str, tuple[float, int]]

    def sheets(self, *, seed: int = 0) -> list[Sheet]:
        """The tables of each baseline, then those of the actor."""
        return evidence_sheets([self], seed=seed)

    def accuracy_lines(self) -> list[str]:
        """A sentence for each spectrum."""
        return [
            f"Test accuracy {spectrum}: {share:.3f} of {count} clips of actors not trained on."
            for spectrum, (share, count) in self.accuracy.items()
        ]


def evidence_sheets(networks: Sequence[Evidence], *, seed: int = 0) -> list[Sheet]:
    """The tables of several networks together: every clip of every network counts once.

    Networks of a demo have actors of their own, so that actors are the clusters of all tests and intervals.

    Args:
      networks: Those of all networks, under the same baselines.
      seed: Of the bootstrap and the tests.
    """
    sheets = []
    for baseline in networks[0].explanations:
        found = [one for part in _apart(networks, baseline) for one in part]
        sheets += [
            sheet._replace(name=f"{baseline}_{sheet.name}", title=f"{sheet.title}, baseline {baseline}")
            for sheet in run_tables(found)[1]
        ]
    first = next(iter(networks[0].explanations))
    masks = {
        _name(number, name, len(networks)): mask
        for number, network in enumerate(networks)
        for name, mask in network.masks.items()
    }
    return [*sheets, *actor_sheets(_apart(networks, first), masks, seed=seed)]


def evidence_text(sheets: Sequence[Sheet]) -> str:
    """Tables under their titles, as Markdown."""
    return "\n".join(f"**{one.title}.** {one.note}\n\n{to_markdown(one)}" for one in sheets)


def _apart(networks: Sequence[Evidence], baseline: str) -> list[list[Explanation]]:
    """By network, its explanations, under names of clips and actors that no other network has."""
    count = len(networks)
    return [
        [
            one._replace(name=_name(number, one.name, count), actor=_name(number, one.actor or one.name, count))
            for one in network.explanations[baseline]
        ]
        for number, network in enumerate(networks)
    ]


def _name(number: int, name: str, count: int) -> str:
    return name if count == 1 else f"network{number}-{name}"
