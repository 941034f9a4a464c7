"""What handlers ask for by parameter name: `services: Given`, `principal: Caller` and `client_ip: ClientIp`."""

from typing import Any

from litestar import Request
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide

from goliat_monitoring.server.auth import Principal
from goliat_monitoring.server.services import Services

Given = NamedDependency[Services]
Caller = NamedDependency[Principal]
ClientIp = NamedDependency[str]


def _services(state: State) -> Services:
    services: Services = state.services
    return services


def _principal(request: Request[Any, Any, Any]) -> Principal:
    principal: Principal = request.scope["state"]["principal"]
    return principal


def _client_ip(request: Request[Any, Any, Any]) -> str:
    return request.client.host if request.client is not None else ""


DEPENDENCIES = {
    "services": Provide(_services, sync_to_thread=False),
    "principal": Provide(_principal, sync_to_thread=False),
    "client_ip": Provide(_client_ip, sync_to_thread=False),
}
