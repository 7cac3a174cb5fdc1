"""What is configured of one shared cache in front of the site."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class CacheAddress:
    """`kind`: cloudflare, fastly or varnish; `account`: Cloudflare's zone, or Fastly's service."""

    kind: str
    url: str
    account: str = ""
    token: str = field(default="", repr=False)

    @property
    def name(self) -> str:
        """What tells it from others, without its secret."""
        return f"{self.kind} {self.account or self.url}"[:120]
