"""The provider: the sample service on the standard library's HTTPS server, lxml and security.py.

usage: service.py --port PORT --key PEM --chain PEM --trust PEM

Paths as those of cxf/…/Service.java: /be, /s, and /s-DEVIATION. Prints `ready` when it listens.
"""
import argparse
import http.server
import pathlib
import ssl
import sys
import uuid

from lxml import etree
from security import DEVIATIONS, SOAP, WSA, Identity, Refused, header_of, name, parse

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent))
import register  # noqa: E402

ANONYMOUS = WSA + "/anonymous"
REQUEST_BYTES_MAX = 64 * 1024 * 1024


def envelope_of(action, relates_to, content):
    """@param content the element in the Body."""
    envelope = etree.Element(name(SOAP, "Envelope"), nsmap={"soapenv": SOAP, "wsa": WSA})
    header = etree.SubElement(envelope, name(SOAP, "Header"))
    for local, text in (("To", ANONYMOUS), ("Action", action), ("MessageID", f"urn:uuid:{uuid.uuid4()}"), ("RelatesTo", relates_to)):
        etree.SubElement(header, name(WSA, local)).text = text
    etree.SubElement(envelope, name(SOAP, "Body")).append(content)
    return envelope


def fault_of(code, text, detail=None):
    fault = etree.Element(name(SOAP, "Fault"), nsmap={"soapenv": SOAP})
    etree.SubElement(fault, "faultcode").text = f"soapenv:{code}"
    etree.SubElement(fault, "faultstring").text = text
    if detail is not None:
        etree.SubElement(fault, "detail").append(detail)
    return fault


def text_of(header, local):
    found = header.findtext(name(WSA, local))
    if not found:
        raise Refused(f"wsa:{local} is missing")
    return found.strip()


def answer(octets, signed, deviation, identity):
    """@return (status, envelope) for a request."""
    relates_to, confirm = WSA + "/unspecified", None
    try:
        request = parse(octets)
        header = header_of(request)
        relates_to = text_of(header, "MessageID")
        if signed:
            _, confirm = identity.verify(request)
        elif any(one.get(name(SOAP, "mustUnderstand")) == "1" and not one.tag.startswith("{" + WSA + "}") for one in header):
            raise Refused("a mandatory header is not understood")
        payload = request.find(name(SOAP, "Body"))[0]
        if text_of(header, "Action") != f"{register.SERVICE}/{etree.QName(payload).localname}Request" or not text_of(header, "To"):
            raise Refused("wsa:Action is not that of the element in the Body")
        found = register.answer(etree.tostring(payload))
        content = etree.fromstring(found.xml)
        out = envelope_of(found.action, relates_to, fault_of("Client", found.fault, content) if found.fault else content)
        status = 500 if found.fault else 200
    except (Refused, etree.XMLSyntaxError, LookupError) as refused:
        status, out = 500, envelope_of(WSA + "/soap/fault", relates_to, fault_of("Client", str(refused)))
    if confirm is not None:
        identity.sign(out, deviation, confirm=confirm)
    return status, etree.tostring(out)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    identity = None

    def body(self):
        """With a length, or in chunks; None when it is too large."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            length = int(self.headers.get("Content-Length", "0"))
            return self.rfile.read(length) if length <= REQUEST_BYTES_MAX else None
        out = bytearray()
        while (size := int(self.rfile.readline().partition(b";")[0], 16)) > 0:
            if len(out) + size > REQUEST_BYTES_MAX:
                return None
            out += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass  # trailers
        return bytes(out)

    def do_POST(self):
        profile, _, deviation = self.path.partition("?")[0].lstrip("/").partition("-")
        request = self.body()
        if request is None:
            self.close_connection = True
            return self.send_error(413)
        if profile not in ("be", "s") or deviation not in ("", *DEVIATIONS):
            return self.send_error(404)
        status, octets = answer(request, profile == "s", deviation, self.identity)
        self.send_response(status)
        self.send_header("Content-Type", "text/xml; charset=utf-8")
        self.send_header("Content-Length", str(len(octets)))
        self.end_headers()
        self.wfile.write(octets)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    for option in ("--key", "--chain", "--trust"):
        parser.add_argument(option, required=True)
    asked = parser.parse_args()
    Handler.identity = Identity(asked.key, asked.chain, asked.trust)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(asked.chain, asked.key)
    context.load_verify_locations(asked.trust)
    context.verify_mode = ssl.CERT_REQUIRED
    server = http.server.ThreadingHTTPServer(("127.0.0.1", asked.port), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    print("ready", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
