"""The WUS half of `bench/peers`: Apache CXF with WSS4J and this node answer the same signed requests (2W-be-S, 2 KiB of payload) on the same core.

The load is the partner's own (tests/interop/cxf/…/Load.java): a closed loop that sends octets signed beforehand. It shares nothing with the side that it measures but the two-way TLS.
"""
import json
import os
import statistics
import subprocess

import register
from deployment import Deployment, Failure
from wus_node import WusNode
from wus_peers import PARTNERS, Terms

PAYLOAD_BYTES = 2048
TERMS = Terms("s")
LOAD_CPU_MAX = 0.85  # above that, the load was measured and not the service
WARM_UP_ROUNDS_MAX, STILL_WARMING = 10, 0.95  # a JVM goes on compiling for thousands of requests: warm is when a round costs hardly less than the one before
QUIET = ".level = SEVERE\n"  # WSS4J warns at every request; no partner would leave that on


class Side:
    """One provider under load. @param client an organisation whose certificate the load has."""

    def __init__(self, name, organisation, client, url, connections):
        self.name, self.organisation = name, organisation
        payload = client.folder / "load.xml"
        payload.write_text(register.report("0123456789abcdef" * ((PAYLOAD_BYTES - len(register.report(""))) // 16)), encoding="utf-8")
        self.process = client.run("load", "--url", url, "--action", f"{register.SERVICE}/meldWijzigingRequest", "--payload", payload, "--connections", connections, wrap=("taskset", "-c", "1"),
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.rounds = []

    def take(self, requests, cpu_seconds):
        """One round. @return its figures, with the provider's own processor time."""
        before = cpu_seconds(self.organisation.process)
        self.process.stdin.write(f"{requests}\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise Failure(f"the load on {self.name} ended with {self.process.wait()}")
        figures = json.loads(line) | {"cpuMicroseconds": (cpu_seconds(self.organisation.process) - before) / requests * 1e6}
        if figures["refused"]:
            raise Failure(f"{self.name} refused {figures['refused']} of {requests} requests")
        return figures

    def warm_up(self, requests, run):
        last = float("inf")
        for _ in range(WARM_UP_ROUNDS_MAX):
            cost = self.take(requests, run.cpu_seconds)["cpuMicroseconds"]
            if cost > STILL_WARMING * last:
                return
            last = cost
        print(f"  {self.name:12} was still getting faster after {WARM_UP_ROUNDS_MAX} rounds of {requests} requests", flush=True)

    def measure(self, requests, run):
        one = self.take(requests, run.cpu_seconds)
        self.rounds.append(one)
        latency = f"p50 {one['medianMicroseconds']:,} us, p99 {one['p99Microseconds']:,} us" + ("   the load was the limit" if one["loadCpu"] > LOAD_CPU_MAX else "")
        print(f"  {self.name:12} {one['rate']:10,.0f} requests/s {one['cpuMicroseconds']:10,.0f} us/request {run.memory_mib(self.organisation.process):8,.0f} MiB   {latency}", flush=True)

    def figures(self, run):
        median = {key: round(statistics.median(one[key] for one in self.rounds), 1) for key in self.rounds[0]}
        return {"peer": self.name, "messagesPerSecond": median["rate"], "cpuMicrosecondsPerMessage": median["cpuMicroseconds"], "messagesPerSecondPerCore": round(1e6 / median["cpuMicroseconds"], 1), "residentMiB": round(run.memory_mib(self.organisation.process), 1),
                "medianMicroseconds": median["medianMicroseconds"], "p99Microseconds": median["p99Microseconds"], "loadCpu": median["loadCpu"], "rounds": [round(one["rate"], 1) for one in self.rounds]}


def compare(folder, asked, run):
    """@param run the module bench/run. @return the figures of our node and of the peer."""
    os.sched_setaffinity(0, {1})  # our back-end answers from this process
    with Deployment(folder) as deployment:
        deployment.make_pki()
        node = WusNode(deployment, slug="node", name="Node", oin="00000099000000010000", host="wus.node.example", settings='[log]\nlevel = "warning"', rsa_bits=run.RSA_BITS)
        peer = PARTNERS[asked.peer](deployment, slug="peer", name="Peer", oin="00000099000000300000", host="wus.peer.example", rsa_bits=run.RSA_BITS)
        client = PARTNERS[asked.peer](deployment, slug="load", name="Load Partner", oin="00000099000000020000", host="wus.load.example", rsa_bits=run.RSA_BITS)
        quiet = deployment.folder / "logging.properties"
        quiet.write_text(QUIET, encoding="utf-8")
        peer.java = client.java = ("java", f"-Djava.util.logging.config.file={quiet}")  # memory and compiler as a partner gets them who sets nothing
        client.set_up()
        for one in (node, peer):
            one.set_up()
            one.start(wrap=("taskset", "-c", "0"))
        node.provide(TERMS, client)
        print(f"{asked.peer}: JVM defaults; schakel: {node.database}; both on core 0, the load and our back-end on core 1; 2W-be-S, {PAYLOAD_BYTES} bytes, {asked.connections} connections")
        ours, theirs = Side("schakel", node, client, node.service_url(TERMS), asked.connections), Side(asked.peer, peer, client, peer.url(TERMS), asked.connections)
        for side in (ours, theirs):
            side.warm_up(asked.warm_up, run)
        for _ in range(asked.rounds):
            ours.measure(asked.messages, run)
            theirs.measure(max(asked.messages // 5, 500), run)
        return [ours.figures(run), theirs.figures(run)]
