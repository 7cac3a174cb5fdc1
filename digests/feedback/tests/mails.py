"""A corpus of returned mails in the forms that real servers send, addressed to one copy."""

from pathlib import Path

from digests.models import Delivery
from postal import return_paths

DOMAIN = "bounces.blocknews.example"
CORPUS = Path(__file__).parent / "corpus"
NAMES = sorted(path.stem for path in CORPUS.glob("*.eml"))


def return_path(copy: Delivery) -> str:
    return return_paths.address(delivery_uuid=copy.uuid, domain=DOMAIN)


def mail(name: str, copy: Delivery, *, return_path: str | None = None, reader: str = "anna@readers.example") -> bytes:
    """One mail of the corpus, as our mail server has it."""
    text = (CORPUS / f"{name}.eml").read_text(encoding="utf-8")
    path = return_paths.address(delivery_uuid=copy.uuid, domain=DOMAIN) if return_path is None else return_path
    for slot, value in {"RETURN_PATH": path, "COPY_ID": str(copy.uuid), "READER": reader}.items():
        text = text.replace(slot, value)
    return text.replace("\n", "\r\n").encode()
