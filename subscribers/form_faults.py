"""What is wrong with a form that comes back: each sentence with the field that it is about."""

from collections.abc import Iterator
from dataclasses import dataclass

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS


@dataclass(frozen=True, slots=True)
class FormFault:
    """One sentence. `field` is the id of the element to mend; empty where it is the form as a whole."""

    sentence: str
    field: str = ""


class WithFaults(forms.Form):
    """A form whose page can name its faults above it, in the order of the fields."""

    def faults(self) -> list[FormFault]:
        """Every fault, those of the form as a whole first; empty for a form that was not sent."""
        return list(self._faults()) if self.is_bound else []

    def _faults(self) -> Iterator[FormFault]:
        for name in [NON_FIELD_ERRORS, *self.fields]:
            for sentence in self.errors.get(name, []):
                yield FormFault(str(sentence), "" if name == NON_FIELD_ERRORS else self.place_of(name))

    def place_of(self, name: str) -> str:
        """The id of the element that shows this field; empty for one that readers cannot see."""
        return self[name].id_for_label
