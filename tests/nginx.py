"""A real nginx before real services, with the configuration that the project ships."""

import getpass
import grp
import http.client
import os
import shutil
import ssl
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from config import ROOT
from tests.service import Endpoint, Reply, free_port

SHIPPED = ROOT / "deploy" / "nginx.conf"
STARTS_WITHIN_SECONDS = 10
SERVED_BY = "X-Served-By"

AROUND = """
user {user} {group};
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/bodies;
    proxy_temp_path {folder}/replies;
    fastcgi_temp_path {folder}/unused;
    scgi_temp_path {folder}/unused;
    uwsgi_temp_path {folder}/unused;
    add_header {header} $upstream_addr always;
    include {folder}/gradus.conf;
}}
"""
"""What Debian's own nginx.conf is for: where nginx keeps its files. And who served each request, for the tests."""


@dataclass
class Nginx(Endpoint):
    """A running nginx. It is asked over TLS, and its certificate is checked."""

    process: subprocess.Popen[bytes]
    trust: ssl.SSLContext
    served_by: list[int] = field(default_factory=list)
    """The ports of the services that served the requests so far."""

    def connection(self, source: str) -> http.client.HTTPConnection:
        return http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=60, context=self.trust, source_address=(source, 0)
        )

    def reply(self, response: http.client.HTTPResponse) -> Reply:
        reply = super().reply(response)
        tried = reply.headers.get(SERVED_BY, "")
        if tried:
            self.served_by.append(int(tried.rpartition(":")[2]))
        return reply


def nginx_binary() -> str | None:
    """Where nginx is; Debian puts it where only root looks."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


@contextmanager
def nginx_before(ports: Sequence[int], folder: Path) -> Iterator[Nginx]:
    """nginx before the services on these ports, with its files in `folder`, until the block ends."""
    port = free_port()
    certificate, key = _certificate(folder)
    lines = _own_lines(port, ports, certificate, key)
    (folder / "gradus.conf").write_text(_shipped_with(lines))
    group = grp.getgrgid(os.getgid()).gr_name
    (folder / "nginx.conf").write_text(
        AROUND.format(user=getpass.getuser(), group=group, folder=folder, header=SERVED_BY)
    )
    places = ["-p", str(folder), "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf")]
    process = subprocess.Popen([nginx_binary() or "nginx", *places, "-g", "daemon off;"])
    try:
        nginx = Nginx(port, process, ssl.create_default_context(cafile=str(certificate)))
        nginx.wait_for("/healthz", STARTS_WITHIN_SECONDS)
        yield nginx
    finally:
        process.terminate()
        process.wait(timeout=10)


def _own_lines(port: int, ports: Sequence[int], certificate: Path, key: Path) -> dict[str, str]:
    """What a site changes, by the beginning of the shipped line."""
    first, second = ports
    return {
        "server 10.0.0.11:5000": f"server 127.0.0.1:{first}",
        "server 10.0.0.12:5000": f"server 127.0.0.1:{second}",
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "server_name gradus.example.com": "server_name localhost",
        "ssl_certificate /etc/ssl/gradus/fullchain.pem": f"ssl_certificate {certificate}",
        "ssl_certificate_key /etc/ssl/gradus/key.pem": f"ssl_certificate_key {key}",
    }


def _shipped_with(lines: Mapping[str, str]) -> str:
    configuration = SHIPPED.read_text(encoding="utf-8")
    for shipped, own in lines.items():
        assert configuration.count(shipped) == 1, shipped
        configuration = configuration.replace(shipped, own)
    return configuration


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of one day for 127.0.0.1, and its key."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"]
    files = ["-keyout", str(key), "-out", str(certificate), "-days", "1"]
    subprocess.run(["openssl", "req", "-x509", *curve, *names, *files], check=True, capture_output=True)  # noqa: S607
    return certificate, key
