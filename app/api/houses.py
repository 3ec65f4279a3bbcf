"""The one dependency by which routes reach the house."""

from typing import Annotated

from fastapi import Depends, Request

from app.domain.viewers import EVERYBODY
from app.wiring import House


async def house_of(request: Request) -> House:
    """The house as it is now. `async`, or FastAPI would hand this line to a thread on every request."""
    house: House = request.app.state.house
    return house


CurrentHouse = Annotated[House, Depends(house_of)]


async def door_of(house: CurrentHouse) -> House:
    """The house as a door must see it: who somebody is is looked up before it is known whose rows they may see."""
    return house.seen_by(EVERYBODY)


DoorHouse = Annotated[House, Depends(door_of)]
