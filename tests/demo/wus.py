"""The part of the demo about WUS: a register's service offered by one organisation, called by another, once through an intermediary."""
import http.server
import json
import pathlib
import re
import threading

from deployment import Failure, wait_until

SERVICE = pathlib.Path(__file__).resolve().parent / "register"
TYPES = "http://wus.lv-voorbeeld.example/xsd/register-v1"
COMPANIES = {"12345678": ("Bakkerij De Korenbloem", "Voorbeeldstad"), "87654321": ("Rijwielhandel Ketting & Zoon", "Elders")}


class Register(http.server.BaseHTTPRequestHandler):
    """A small back-end: plain XML in, plain XML out. It knows nothing of SOAP, certificates or signatures."""

    protocol_version = "HTTP/1.1"
    asked = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        number = re.search(r"<(?:\w+:)?nummer>(\d{8})<", body).group(1)
        Register.asked.append({"number": number, "sender": self.headers["Schakel-Sender-Oin"], "peer": self.headers["Schakel-Peer-Oin"], "profile": self.headers["Schakel-Profile"]})
        if number in COMPANIES:
            name, place = (text.replace("&", "&amp;") for text in COMPANIES[number])
            answer = f'<vraagBedrijfResponse xmlns="{TYPES}"><nummer>{number}</nummer><naam>{name}</naam><plaats>{place}</plaats></vraagBedrijfResponse>'
            self.reply(200, "application/xml; charset=utf-8", answer)
        else:
            fault = {"faultcode": "Client", "faultstring": "Dit nummer is niet bekend", "detailXml": f'<registerFout xmlns="{TYPES}"><code>ONBEKEND</code></registerFout>'}
            self.reply(404, "application/problem+json", json.dumps({"title": "Onbekend", "status": 404, "wusFault": fault}))

    def reply(self, status, content_type, text):
        octets = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(octets)))
        self.end_headers()
        self.wfile.write(octets)

    def log_message(self, *_):
        pass


def start_register():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Register)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/register"


def load_service(organisation, name, settings):
    """Imports the WSDL with these settings through the command line and activates it."""
    path = organisation.folder / f"{name}-{settings['role']}.json"
    path.write_text(json.dumps(settings))
    organisation.cli("contract", "import", SERVICE / "register-v1.wsdl", SERVICE / "register-v1.xsd", "--settings", path, "--name", name, "--activate")


def offer(consumer, provider, name, profile, backend, through=None):
    """The service at the provider and its counterpart at the consumer; `through`: an organisation that stands between them."""
    address = f"https://localhost:{provider.external}/wus/{name}"
    grants = [{"oin": consumer.oin}]
    load_service(provider, name, {"role": "provider", "ownOin": provider.oin, "profile": profile, "path": f"/wus/{name}", "addresses": [address], "grants": grants, "backend": {"url": backend}})
    partner = {"oin": provider.oin, "endpoint": address, "fromAddress": f"https://{consumer.host}/wus"}
    if through:
        partner |= {"endpoint": f"https://localhost:{through.external}/wus/{name}", "toAddress": address, "serverOins": [through.oin]}
    if profile == "2W-be-SE":
        partner["certificate"] = provider.party()["certificates"]["encryption"]
    load_service(consumer, name, {"role": "consumer", "ownOin": consumer.oin, "profile": profile, "partner": partner})


def call(consumer, name, number):
    path = consumer.folder / "vraag.xml"
    path.write_text(f'<vraagBedrijf xmlns="{TYPES}"><nummer>{number}</nummer></vraagBedrijf>')
    done = consumer.cli("wus", "call", name, "vraagBedrijf", path, "--json", check=False)
    try:
        return json.loads(done.stdout)
    except ValueError:
        return {"outcome": "failed", "why": (done.stdout + done.stderr).strip()}


def answered(consumer, name, number):
    """Calls until both nodes know the service (their configuration is polled), then the answer must be right."""
    answer = wait_until(f"{name} answers", lambda: (lambda a: a if a["outcome"] == "response" else None)(call(consumer, name, number)), 20, 0.2)
    if COMPANIES[number][1] not in answer["body"]:
        raise Failure(f"{name}: the answer is not that of the register: {answer['body']}")
    return answer


def record(organisation, message_id):
    found = organisation.messages(protocol="wus", messageId=message_id)
    if len(found) != 1:
        raise Failure(f"{organisation.name} has {len(found)} records of the call {message_id}")
    return found[0]


def play(say, require, consumer, provider, middle):
    backend = start_register()
    say(f"{provider.name} has a register behind it that speaks plain XML over HTTP")
    for name, profile in (("register", "2W-be"), ("register-s", "2W-be-S"), ("register-se", "2W-be-SE")):
        offer(consumer, provider, name, profile, backend)
        answer = answered(consumer, name, "12345678")
        asked = Register.asked[-1]
        require(asked["sender"] == consumer.oin and asked["profile"] == profile, f"the register was not asked by {consumer.name} under {profile}: {asked}")
        for one in (consumer, provider):
            require(record(one, answer["messageId"])["state"] == "COMPLETED", f"{one.name}: the call is not recorded as completed")
        say(f"{profile}: {consumer.name} asks {provider.name} for company 12345678: Bakkerij De Korenbloem, Voorbeeldstad")
    fault = wait_until("the register's fault comes back", lambda: (lambda a: a if a["outcome"] == "fault" else None)(call(consumer, "register-se", "00000000")), 20, 0.2)["fault"]
    require(fault["faultstring"] == "Dit nummer is niet bekend" and "ONBEKEND" in fault["detailXml"] and fault["authenticated"], f"not the register's own fault: {fault}")
    say(f"2W-be-SE: an unknown company gives the register's own Fault, signed and encrypted: {fault['faultstring']}")

    offer(consumer, provider, "register-keten", "2W-be-SE", backend, through=middle)
    target = {"kind": "partner", "url": f"https://localhost:{provider.external}/wus/register-keten", "oin": provider.oin}
    put_routes(middle, [{"id": "door", "direction": "inbound", "match": {"protocol": "wus", "toOin": provider.oin}, "mode": "transparent", "target": target}])
    put_routes(provider, [{"id": "via", "direction": "outbound", "match": {"protocol": "wus", "toOin": consumer.oin}, "target": {"kind": "intermediary", "oin": middle.oin, "url": f"https://localhost:{middle.external}/wus"}}])
    answer = answered(consumer, "register-keten", "87654321")
    require(Register.asked[-1]["peer"] == middle.oin, f"the call did not come through {middle.name}: {Register.asked[-1]}")
    wait_until(f"{middle.name} has a record of what it passed on", lambda: middle.messages(protocol="wus", messageId=answer["messageId"]), 10)
    require(record(middle, answer["messageId"])["state"] == "FORWARDED", f"{middle.name} did more than pass on")
    say(f"2W-be-SE through {middle.name}, which holds no keys of the parties: Rijwielhandel Ketting & Zoon, Elders")


def put_routes(organisation, rows):
    _, _, headers = organisation.request("GET", "/api/v1/routes")
    organisation.json("PUT", "/api/v1/routes", {"routes": rows}, headers={"If-Match": headers["ETag"]})
