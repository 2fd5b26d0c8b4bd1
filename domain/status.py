"""Where a booking stands.

    (placed) ──▶ held ──confirm──▶ confirmed ──cancel──▶ cancelled
                  │ └──release──▶ released    ▲
                  └────lapse────▶ lapsed      └── (booked directly)

`held` and `confirmed` claim their resources; the other three are final.
"""

from typing import Literal

ClaimStatus = Literal["held", "confirmed"]
BookingStatus = Literal["held", "confirmed", "released", "cancelled", "lapsed"]
