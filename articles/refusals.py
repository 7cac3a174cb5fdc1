"""The exceptions of the verbs on a story. Each message is one sentence that tells an editor what to do."""


class PublishingError(Exception):
    """A verb on a story did not happen; nothing was changed."""


class NotAllowed(PublishingError):
    """The account lacks the right to do this to this story."""


class WrongState(PublishingError):
    """The verb does not fit the state that the story is in now."""


class NotReady(PublishingError):
    """Something that readers need is missing or cannot be shown."""


class SlugTaken(PublishingError):
    """The address belongs, or once belonged, to another story."""
