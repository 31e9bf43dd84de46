"""Who asks? Every route under /api/v1 but health depends on this.

There is no anonymous access, also not from this machine. A worker's token opens nothing here: it is for leases alone.
"""

from __future__ import annotations

from typing import Annotated, Any, cast

from fastapi import Depends, Header, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from fastapi.security.utils import get_authorization_scheme_param

from riparian.api.models import ProblemOut
from riparian.assets.errors import Refused, Unauthenticated
from riparian.scheduler.control import ControlPlane
from riparian.storage.access import Caller, View

REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": ProblemOut} for status in (401, 403, 404, 409, 413, 422, 500)
}
"""What every door may answer beside what it is for."""

READING = frozenset({"GET", "HEAD"})
"""The methods that change nothing."""

bearer = HTTPBearer(auto_error=False, description="A token from `riparian token create NAME`.")


def current_plane(request: Request) -> ControlPlane:
    return cast(ControlPlane, request.app.state.plane)


Plane = Annotated[ControlPlane, Depends(current_plane)]
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
OnBehalf = Annotated[
    str | None,
    Header(alias="X-Riparian-As", description="Look as this person. For owners, of a server in dev mode; audited."),
]


def caller_of(plane: ControlPlane, authorization: str | None) -> Caller:
    """Returns the person whom an Authorization header speaks for; raises Unauthenticated or Refused."""
    scheme, token = get_authorization_scheme_param(authorization)
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("a token is needed; send `Authorization: Bearer TOKEN` (riparian token create NAME)")
    caller = plane.access.authenticate(token)
    if caller.kind == "worker":
        raise Refused("this token is a worker's: it is for leases alone; use a token of kind user")
    return caller


def current_view(request: Request, plane: Plane, _: Credentials, on_behalf: OnBehalf = None) -> View:
    """Returns what the caller may see; raises Unauthenticated or Refused."""
    caller = caller_of(plane, request.headers.get("authorization"))
    if on_behalf is None:
        return plane.access.as_principal(caller.principal)
    if request.method not in READING:
        # Nobody is written down for what another did.
        raise Refused("act as yourself; --as (X-Riparian-As) is for looking")
    if not request.app.state.dev:
        raise Refused("asking as somebody else is possible in `riparian dev` only; use a token of theirs")
    return plane.access.as_principal(caller.principal, on_behalf=on_behalf)


Viewer = Annotated[View, Depends(current_view)]
