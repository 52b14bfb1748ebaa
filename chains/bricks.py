"""What a composition is made with; an engine has it all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from langchain_core.runnables import Runnable

    from ipcir_tools.chains.imagine import Imagination, ImagineRequest
    from ipcir_tools.drawer import Drawer
    from ipcir_tools.features import Features
    from ipcir_tools.inversion.network import Network
    from ipcir_tools.networks import Inverter


class Bricks(Protocol):
    """Each is made when it is first asked for. Raises ModelUnavailable for one that cannot be had."""

    @property
    def features(self) -> Features:
        """Features and captions, made once ever."""
        ...

    @property
    def imagine(self) -> Runnable[ImagineRequest, Imagination]:
        """The imagination."""
        ...

    @property
    def drawer(self) -> Drawer:
        """What draws a description."""
        ...

    def inverter(self, method: Literal["pic2word", "searle"]) -> Inverter:
        """What turns a picture into a word."""
        ...

    @property
    def aligner(self) -> Network:
        """What moves a proxy towards targets."""
        ...
