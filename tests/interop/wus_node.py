"""Our node with WUS contracts: everything that an interoperability run asks of Schakel's API and of its back-end side, in one place."""
import contextlib
import dataclasses
import http.server
import json
import pathlib
import secrets
import threading
import time

import register
from deployment import Failure, Organisation
from world import NotYet

BUNDLE = pathlib.Path(__file__).resolve().parent / "wus-service"
PROFILES = {"be": "2W-be", "s": "2W-be-S", "se": "2W-be-SE"}


@dataclasses.dataclass(frozen=True)
class Outcome:
    """Of a call through our node. `code`: of the problem; empty for a response, whose element is `xml`."""
    status: int
    xml: str = ""
    code: str = ""
    problem: dict = dataclasses.field(default_factory=dict)


class WusNode(Organisation):
    """A node that offers and calls the sample service, with the terms of a column."""

    def __init__(self, deployment, **options):
        super().__init__(deployment, **options)
        self.backend = Backend()
        deployment.organisations.append(self)

    def kill(self):
        self.backend.close()
        super().kill()

    def service_url(self, terms):
        return f"https://localhost:{self.external}/wus{terms.path()}"

    def provide(self, terms, partner, **settings):
        """Offers the service to the partner. @param settings more of them (wus.md 4.6). @return the contract's id."""
        return self.contract(f"Aanbod {terms.label}", terms, settings | {
            "role": "provider", "path": f"/wus{terms.path()}", "addresses": [self.service_url(terms)], "grants": [{"oin": partner.oin, "operations": []}],
            "backend": {"url": self.backend.url, "mode": "xml"}})

    def consume(self, terms, partner, url, name, **settings):
        """Prepares to call the partner there. @param name tells contracts of the same terms apart. @return the contract's id."""
        return self.contract(f"Afname {terms.label} {name}".strip(), terms, settings | {
            "role": "consumer", "partner": {"endpoint": url, "oin": partner.oin, "fromAddress": f"https://{self.host}/wus"} | ({"certificate": partner.certificate} if terms.encrypted else {})})

    def contract(self, name, terms, settings):
        """Uploads the WSDL and its schemas with the settings, and activates the contract."""
        settings = {"ownOin": self.oin, "profile": PROFILES[terms.profile], "mtom": "required" if terms.mtom else "off"} | settings
        body, content_type = bundle({"kind": "wsdl", "name": name, "main": "inschrijving-v1.wsdl", "settings": settings})
        status, answer, _ = self.request("POST", "/api/v1/contracts", body, content_type=content_type)
        if status in (404, 405, 415, 501):
            raise NotYet(f"contracts of kind wsdl are not taken: POST /api/v1/contracts answered {status}")
        if status not in (200, 201):
            raise Failure(f"the contract {name} was refused with {status}: {answer.decode(errors='replace')[:1000]}")
        contract_id = json.loads(answer)["id"]
        _, _, headers = self.request("GET", f"/api/v1/contracts/{contract_id}")
        self.json("POST", f"/api/v1/contracts/{contract_id}/_activate", headers={"If-Match": headers["ETag"]})
        time.sleep(1.2)  # a node takes a changed configuration over within a second
        return contract_id

    def call(self, contract_id, xml):
        (operation, _), *_ = register.fields(xml)
        status, answer, _ = self.request("POST", f"/api/v1/wus/{contract_id}/{operation}", xml.encode(), content_type="application/xml; charset=utf-8")
        if status == 200:
            return Outcome(status, xml=answer.decode())
        if status in (405, 501):
            raise NotYet(f"calls as XML are not there: {status}")
        with contextlib.suppress(ValueError):
            problem = json.loads(answer)
            return Outcome(status, code=problem.get("code") or problem.get("type", "").rpartition(":")[2], problem=problem)
        raise Failure(f"the call was answered with {status}: {answer.decode(errors='replace')[:500]}")


def bundle(contract):
    """The form that a WSDL contract is uploaded as: its documents under their own names, then the contract. @return (octets, content type)."""
    boundary = secrets.token_hex(16)
    parts = [(f'name="document"; filename="{one.name}"', "application/xml", one.read_bytes()) for one in sorted(BUNDLE.iterdir())]
    parts.append(('name="contract"', "application/json", json.dumps(contract).encode()))
    body = b"".join(f"--{boundary}\r\nContent-Disposition: form-data; {name}\r\nContent-Type: {kind}\r\n\r\n".encode() + octets + b"\r\n" for name, kind, octets in parts)
    return body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


class Backend:
    """The internal system behind our provider, in mode `xml` (wus.md 3.7): register.py over HTTP. `calls`: the Schakel-* headers of each call that reached it."""

    def __init__(self):
        calls = self.calls = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                calls.append({name.lower(): value for name, value in self.headers.items()})
                found = register.answer(self.rfile.read(int(self.headers["Content-Length"])))
                if found.fault:
                    self.reply(422, "application/problem+json", json.dumps({"status": 422, "title": found.fault, "wusFault": {"faultcode": "Client", "faultstring": found.fault, "detailXml": found.xml}}))
                else:
                    self.reply(200, "application/xml; charset=utf-8", found.xml)

            def reply(self, status, content_type, text):
                octets = text.encode()
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(octets)))
                self.end_headers()
                self.wfile.write(octets)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}/inschrijving"

    def close(self):
        self.server.shutdown()
        self.server.server_close()
