"""The WUS half of `bench/run`: one node on core 0, and on core 1 the load, which is its partner and the plain system behind it (or, for a consumer, the application before it). Keep-alive connections everywhere, the
load generator's core included: two cores carry it all. The payload goes both ways: an element of that size is the request's, one is the answer's.

wus.PROFILE.provider|consumer.SIZE          requests/s                    limit: raw RSA-2048 private operations/s of the node's core by those that an exchange needs (2W-be: our aim)
wus.PROFILE.provider|consumer.SIZE.cpu      the node's own processor time for one exchange
wus.2w-be-s.provider.SIZE.xmlsec1           the same rate                 limit: how often libxmlsec1 parses and verifies such a request, and signs and writes such an answer, on one core
wus.PROFILE.provider|consumer.latency.p50   added latency, from the first octet sent to the last of the answer, on four busy connections, less the time that the load took on the node's far side

Aims: 2w-be-s 0.6 and 2w-be-se 0.45 of the limit, 2w-be 15 000 requests/s.
"""
import dataclasses
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests/interop"))
import register  # noqa: E402
from deployment import Deployment, free_ports  # noqa: E402
from wus_node import WusNode  # noqa: E402
from wus_peers import Terms  # noqa: E402

LOAD_CPU_MAX = 0.9  # above that, the load was the limit and not the node
CONNECTIONS, LATENCY_CONNECTIONS = 64, 4
OPERATION = "meldWijziging"


@dataclasses.dataclass(frozen=True)
class Profile:
    """`private_operations` of RSA for one exchange, on the node: it signs once, in either role, and decrypts once."""
    label: str
    terms: Terms
    private_operations: int

    @property
    def signed(self):
        return self.private_operations > 0


PROFILES = (Profile("2w-be", Terms("be"), 0), Profile("2w-be-s", Terms("s"), 1), Profile("2w-be-se", Terms("se"), 2))
# Octets, and the share of bench/run's messages: what is signed before the clock runs must be posted within the 300 s that its Timestamp is good for.
SIZES = (("2k", 2048, 1), ("200k", 200_000, 30))
SIGNED_SHARE = 3


def filled(element, size):
    """@param element gives the element with that text in it. @return it with a text that makes it `size` octets."""
    return element(("0123456789abcdef" * (size // 16))[: size - len(element(""))])


def write_elements(folder, label, size):
    """@return files with the element of a request and of an answer."""
    asked, answer = folder / f"request-{label}.xml", folder / f"answer-{label}.xml"
    asked.write_text(filled(register.report, size), encoding="utf-8")
    answer.write_text(filled(lambda text: register.element(f"{OPERATION}Response", ("ontvangstnummer", text)), size), encoding="utf-8")
    return asked, answer


class Figures:
    """Of one node in both roles. @param bench the module bench/run."""

    def __init__(self, bench, folder, node, partner, far_port):
        self.bench, self.folder, self.node, self.partner, self.far_port = bench, folder, node, partner, far_port

    def measure(self, profile):
        for role, prepare in (("provider", self.provider), ("consumer", self.consumer)):
            name = f"wus.{profile.label}.{role}"
            if not self.bench.wanted(name):
                continue
            run = prepare(profile)
            for label, size, share in SIZES:
                if self.bench.wanted(f"{name}.{label}"):
                    self.rate(f"{name}.{label}", profile, role, label, lambda: run(label, size, max(self.bench.MESSAGES // share // (SIGNED_SHARE if profile.signed else 1), 100), CONNECTIONS))
            if self.bench.wanted(f"{name}.latency"):
                result = run("2k", SIZES[0][1], max(self.bench.MESSAGES // 8, 500), LATENCY_CONNECTIONS)
                self.bench.add(f"{name}.latency.p50", result["p50_ms"], "ms")
                self.bench.add(f"{name}.latency.p99", result["p99_ms"], "ms")

    def rate(self, name, profile, role, label, run):
        limit = self.bench.private_operations() / profile.private_operations if profile.signed else 0
        before = self.bench.Spent.of(self.node)
        result = run()
        self.bench.add(name, result["rate"], "requests/s", limit)
        self.bench.cost_figures(name, self.node, before, result["answered"], "request", limit)
        if result["cpu"] > LOAD_CPU_MAX:
            print(f"  the load used {result['cpu']:.0%} of its core: it was the limit, not the node", flush=True)
        if profile.label == "2w-be-s" and role == "provider":
            self.bench.add(f"{name}.xmlsec1", result["rate"], "requests/s", self.bench.xmlsec1_exchanges().get(label, 0))

    def provider(self, profile):
        url, path = self.node.service_url(profile.terms), f"/wus{profile.terms.path()}"
        backend = {"url": f"http://127.0.0.1:{self.far_port}/inschrijving", "mode": "xml"}
        self.node.contract(f"Aanbod {profile.label}", profile.terms, {"role": "provider", "path": path, "addresses": [url], "grants": [{"oin": self.partner.oin, "operations": []}], "backend": backend})

        def run(label, size, count, connections):
            asked, answer = write_elements(self.folder, label, size)
            return self.bench.load(self.folder, "wus-provider", self.partner, profile=profile.label, port=self.node.external, path=path, to=f"{url}?OIN={self.node.oin}",
                                   action=f"{register.SERVICE}/{OPERATION}Request", **{"from": f"https://{self.partner.host}/wus?OIN={self.partner.oin}"}, body=asked, answer=answer, backend=self.far_port,
                                   messages=count, connections=connections, seconds_max=180, **self.recipient(profile))
        return run

    def consumer(self, profile):
        partner = {"endpoint": f"https://localhost:{self.far_port}/wus", "oin": self.partner.oin, "fromAddress": f"https://{self.node.host}/wus"}
        if profile.terms.encrypted:
            partner["certificate"] = self.partner.chain.read_text().split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n"
        contract = self.node.contract(f"Afname {profile.label}", profile.terms, {"role": "consumer", "partner": partner})

        def run(label, size, count, connections):
            asked, answer = write_elements(self.folder, label, size)
            key = self.node.key_file.read_text().strip()
            head = f"POST /api/v1/wus/{contract}/{OPERATION} HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {key}\r\nContent-Type: application/xml; charset=utf-8\r\n"
            with tempfile.NamedTemporaryFile("w", dir=self.folder, suffix=".head", encoding="utf-8") as file:  # only for us: it has the API key
                file.write(head)
                file.flush()
                return self.bench.load(self.folder, "wus-consumer", self.partner, profile=profile.label, port=self.node.internal, head=file.name, body=asked, answer=answer, listen=self.far_port,
                                       action=f"{register.SERVICE}/{OPERATION}Response", messages=count, connections=connections, seconds_max=180, **self.recipient(profile))
        return run

    def recipient(self, profile):
        return {"recipient": self.node.chain} if profile.terms.encrypted else {}


def measure(bench, folder):
    """@param bench the module bench/run."""
    (far_port,) = free_ports(1)
    with Deployment(folder) as deployment:
        deployment.make_pki()
        node = WusNode(deployment, slug="node", name="Node", oin="00000099000000010000", host="wus.node.example", settings='[log]\nlevel = "warning"', rsa_bits=bench.RSA_BITS)
        node.set_up()
        partner = bench.partner_of(deployment, far_port)
        node.start(wrap=bench.wrap_of_node())
        figures = Figures(bench, folder, node, partner, far_port)
        for profile in PROFILES:
            if bench.wanted(f"wus.{profile.label}"):
                figures.measure(profile)
        node.terminate()  # a profiler writes what it saw
