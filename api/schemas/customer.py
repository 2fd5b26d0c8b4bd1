"""The person a booking is for, as clients give and get it."""

from pydantic import ConfigDict, Field

from api.schemas import examples
from api.schemas.fields import CustomerName, Email, Phone
from api.schemas.form import Form
from domain.customer import Customer


class CustomerBody(Form):
    """The person a booking is for. It is kept encrypted, under a key of that person's own."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.CUSTOMER]})

    id: CustomerName = Field(
        description="Your own name for the person: the same one each time.",
        examples=["crm-8812"],
    )
    name: CustomerName | None = Field(
        default=None, description="How to address the person.", examples=["Nova Film GmbH"]
    )
    email: Email | None = Field(
        default=None, description="An e-mail address.", examples=["office@nova-film.example"]
    )
    phone: Phone | None = Field(
        default=None, description="A telephone number.", examples=["+43 1 555 0199"]
    )


def to_domain(customer: CustomerBody | None) -> Customer | None:
    """Gives the person in the domain's words.

    Args:
        customer: as the client gave it; None where a booking is for nobody in particular.
    """
    if customer is None:
        return None
    return Customer(id=customer.id, name=customer.name, email=customer.email, phone=customer.phone)
