"""Which keys are trusted, and what signatures are worth by them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from infra.proof.findings import Findings, Problem
from infra.proof.notes import Checkpoint, PublicKey, Signature, SignedCheckpoint


class Worth(Enum):
    """What the signatures of a checkpoint are worth."""

    GOOD = "a trusted key has signed it"
    FORGED = "a checkpoint's signature is not that of the trusted key that it names"
    UNKNOWN = "no trusted key has signed it"


@dataclass(frozen=True, slots=True)
class TrustedKeys:
    """The keys that are trusted: the one that signs now, and those that did."""

    keys: tuple[PublicKey, ...] = ()

    def worth(self, signed: SignedCheckpoint) -> Worth:
        """Tells what a checkpoint's signatures are worth.

        Those of unknown keys count for nothing, so that others may sign as well; one that fails
        with a known key makes all of it worthless (C2SP signed-note).
        """
        known = [self._is_good(signed.checkpoint, each) for each in signed.signatures]
        if False in known:
            return Worth.FORGED
        return Worth.GOOD if True in known else Worth.UNKNOWN

    def verifier_texts(self, origin: str) -> Sequence[str]:
        """Gives the keys as programs that check notes take them."""
        return [key.verifier_text(origin) for key in self.keys]

    def _is_good(self, checkpoint: Checkpoint, signature: Signature) -> bool | None:
        if signature.name != checkpoint.origin:
            return None
        for key in self.keys:
            if key.id_for(checkpoint.origin) == signature.key_id:
                return key.has_signed(checkpoint, signature.signature)
        return None


def trusted(keys: Iterable[PublicKey]) -> TrustedKeys:
    """Gives keys, none of them twice."""
    return TrustedKeys(tuple(dict.fromkeys(keys)))


def add_forged(
    checkpoints: Iterable[SignedCheckpoint], keys: TrustedKeys, findings: Findings
) -> None:
    """Notes the checkpoints that a trusted key is said to have signed, and has not."""
    for signed in checkpoints:
        if keys.worth(signed) is Worth.FORGED:
            position = signed.checkpoint.seq
            findings.add(Problem.SIGNATURE, Worth.FORGED.value, position=position)
