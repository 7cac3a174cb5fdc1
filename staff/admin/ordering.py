"""Model admins of rows that have an order: it is changed on a page of its own, and no form asks for a number."""

from typing import Any, ClassVar

from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse

from publication.change_lists import ModelAdmin
from publication.row_actions import account
from staff import ordering
from staff.ordering import Order


class LinksToOrder(ModelAdmin):
    """A list with a way to the page of the order, for those who may change it. `order_name` is in its address."""

    change_list_template = "admin/ordered_list.html"
    order: ClassVar[Order]
    order_name: ClassVar[str]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """The list, with the address of the page."""
        may = ordering.may_arrange(self.order, user=account(request))
        address = reverse("desk:order", args=[self.order_name]) if may else ""
        return super().changelist_view(request, {**(extra_context or {}), "order_address": address})


class OrderedAdmin(LinksToOrder):
    """Rows that have the order: a new one comes last."""

    exclude = ("position",)

    def save_model(self, request: HttpRequest, obj: Model, form: Any, change: bool) -> None:
        """Behind the others, if it is new."""
        if not change:
            obj.position = ordering.next_place(type(obj))  # type: ignore[attr-defined]  # as `Order` says
        super().save_model(request, obj, form, change)
