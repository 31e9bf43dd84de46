"""Who asks? Every route under /api/v1 but health depends on this.

There is no anonymous access, also not from this machine. A worker's token opens nothing here: it is for leases alone.
"""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends, Header, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from riparian.assets.errors import Refused, Unauthenticated
from riparian.scheduler.control import ControlPlane
from riparian.storage.access import View

bearer = HTTPBearer(auto_error=False, description="A token from `riparian token create NAME`.")


def current_plane(request: Request) -> ControlPlane:
    return cast(ControlPlane, request.app.state.plane)


Plane = Annotated[ControlPlane, Depends(current_plane)]
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
OnBehalf = Annotated[
    str | None,
    Header(alias="X-Riparian-As", description="Ask as this person. For owners, of a server in dev mode; audited."),
]


def current_view(request: Request, plane: Plane, credentials: Credentials, on_behalf: OnBehalf = None) -> View:
    """Returns what the caller may see; raises Unauthenticated or Refused."""
    if credentials is None:
        raise Unauthenticated("a token is needed; send `Authorization: Bearer TOKEN` (riparian token create NAME)")
    caller = plane.access.authenticate(credentials.credentials)
    if caller.kind == "worker":
        raise Refused("this token is a worker's: it is for leases alone; use a token of kind user")
    if on_behalf is None:
        return plane.access.as_principal(caller.principal)
    if not request.app.state.dev:
        raise Refused("asking as somebody else is possible in `riparian dev` only; use a token of theirs")
    return plane.access.as_principal(caller.principal, on_behalf=on_behalf)


Viewer = Annotated[View, Depends(current_view)]
