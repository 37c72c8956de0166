"""The consumer: zeep with its WS-Addressing, and security.py as its WS-Security.

usage: client.py --key PEM --chain PEM --trust PEM     (--trust: anchors and intermediates)

Reads calls from standard input and prints one line of JSON for each, both as cxf/…/Client.java does: --url, --payload FILE, --profile be|s, --deviation, --to, --from.
"""
import argparse
import base64
import json
import pathlib
import shlex
import sys

import requests
import zeep
import zeep.exceptions
import zeep.plugins
import zeep.transports
from lxml import etree
from security import DEVIATIONS, SOAP, WSA, Identity, Refused, name

WSDL = pathlib.Path(__file__).resolve().parent.parent / "wus-service/inschrijving-v1.wsdl"
BINDING = "{http://wus.aanbieder.example/wsdl/inschrijving-v1}InschrijvingService_v1Binding"


class Addresses(zeep.plugins.Plugin):
    """zeep has written Action, MessageID and To; this is what a Digikoppeling partner's programmer adds: OINs in To and From."""

    def __init__(self, to, sender):
        self.to, self.sender = to, sender

    def egress(self, envelope, http_headers, operation, binding_options):
        header = envelope.find(name(SOAP, "Header"))
        if self.to:
            header.find(name(WSA, "To")).text = self.to
        if self.sender:
            etree.SubElement(etree.SubElement(header, name(WSA, "From")), name(WSA, "Address")).text = self.sender
        return envelope, http_headers


class Signature:
    """2W-be-S, as zeep's wsse. Remembers what it signed and whether the answer was verified."""

    def __init__(self, identity, deviation):
        self.identity, self.deviation = identity, deviation
        self.sent, self.verified = None, False

    def apply(self, envelope, headers):
        self.sent = self.identity.sign(envelope, self.deviation)
        return envelope, headers

    def verify(self, envelope):
        if envelope.find(f"{name(SOAP, 'Body')}/{name(SOAP, 'Fault')}") is not None and "Security" not in {etree.QName(one).localname for one in envelope.iterfind(f"{name(SOAP, 'Header')}/*")}:
            return  # an unsecured fault is an error, and no more than that (WUS-164)
        self.identity.verify(envelope, confirmed=self.sent)
        self.verified = True


def arguments(payload):
    """The element of a body as the arguments of zeep's operation."""
    out = {}
    for one in payload:
        local = etree.QName(one).localname
        if local == "bijlage":
            out.setdefault(local, []).append(base64.b64decode(one.text or ""))
        else:
            out[local] = one.text
    return out


class Calls:
    """The service as zeep sees it on one set of terms, with its connections."""

    def __init__(self, options, identity):
        self.security = Signature(identity, options.deviation) if options.profile == "s" else None
        self.history = zeep.plugins.HistoryPlugin()
        session = requests.Session()
        session.trust_env = False  # no proxy, no other bundle of CAs
        session.verify, session.cert = options.trust, (options.chain, options.key)
        client = zeep.Client(str(WSDL), wsse=self.security, plugins=[Addresses(options.to, options.sender), self.history],
                             transport=zeep.transports.Transport(session=session, timeout=60, operation_timeout=60))
        self.service = client.create_service(BINDING, options.url)

    def call(self, payload):
        if self.security:
            self.security.verified = False
        try:
            getattr(self.service, etree.QName(payload).localname)(**arguments(payload))
            out = {"outcome": "response", "payload": etree.tostring(self.history.last_received["envelope"].find(name(SOAP, "Body"))[0], encoding="unicode")}
        except zeep.exceptions.Fault as fault:
            declared = fault.detail.find(".//{*}inschrijvingFout/{*}code") if fault.detail is not None else None
            out = {"outcome": "fault", "faultcode": expanded(fault.code, self.history), "faultstring": fault.message} | ({"declared": declared.text} if declared is not None else {})
        except Refused as refused:
            out = {"outcome": "refused", "reason": str(refused)}
        except (zeep.exceptions.Error, requests.RequestException, OSError) as failed:
            out = {"outcome": "failed", "reason": f"{type(failed).__name__}: {failed}"}
        return out | {"verified": self.security is not None and self.security.verified}


def expanded(code, history):
    """A QName of the answer with its namespace written out."""
    prefix, _, local = code.rpartition(":")
    element = history.last_received["envelope"].find(f".//{name(SOAP, 'Fault')}/faultcode")
    return f"{{{element.nsmap.get(prefix or None, '')}}}{local}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option in ("--key", "--chain", "--trust"):
        parser.add_argument(option, required=True)
    asked = parser.parse_args()
    identity = Identity(asked.key, asked.chain, asked.trust)
    lines = argparse.ArgumentParser(add_help=False)
    for option in ("--url", "--payload"):
        lines.add_argument(option, required=True)
    lines.add_argument("--profile", choices=("be", "s"), default="be")
    lines.add_argument("--deviation", choices=("none", *DEVIATIONS), default="none")
    lines.add_argument("--to")
    lines.add_argument("--from", dest="sender")
    known = {}
    for line in sys.stdin:
        options = lines.parse_args(shlex.split(line), namespace=argparse.Namespace(**vars(asked)))
        terms = (options.url, options.profile, options.deviation, options.to, options.sender)
        if terms not in known:
            known[terms] = Calls(options, identity)
        print(json.dumps(known[terms].call(etree.parse(options.payload, etree.XMLParser(huge_tree=True)).getroot())), flush=True)


if __name__ == "__main__":
    main()
