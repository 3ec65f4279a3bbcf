"""The one dependency by which routes reach the house."""

from typing import Annotated

from fastapi import Depends, Request

from app.wiring import House


async def house_of(request: Request) -> House:
    """The house as it is now. `async`, or FastAPI would hand this line to a thread on every request."""
    house: House = request.app.state.house
    return house


CurrentHouse = Annotated[House, Depends(house_of)]
