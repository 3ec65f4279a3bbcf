"""Industries of GB/T 4754-2017."""

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app.kit.database import Base


class Industry(Base):
    """A section (门类), division (大类), group (中类) or class (小类) of the classification."""

    __tablename__ = "industries"

    code: Mapped[str] = mapped_column(String(8), primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    level: Mapped[str] = mapped_column(String(8))
    parent_code: Mapped[str | None] = mapped_column(String(8), index=True)
