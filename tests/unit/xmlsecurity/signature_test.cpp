#include "xmlsecurity/signature.hpp"

#include <gtest/gtest.h>
#include <openssl/ecdsa.h>
#include <openssl/rsa.h>

#include <filesystem>
#include <fstream>

#include "unit/xmlsecurity/keys.hpp"
#include "unit/xmlsecurity/xmlsec1.hpp"
#include "xml/canonical.hpp"

namespace schakel::xmlsecurity {
namespace {

using test::ec;
using test::Identity;
using test::other_rsa;
using test::rsa;
using test::Xmlsec1;
using xml::Canonical;
using xml::Document;
using xml::Element;

constexpr std::string_view exclusive_uri = "http://www.w3.org/2001/10/xml-exc-c14n#";
constexpr std::string_view rsa_sha256_uri = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
constexpr std::string_view wsu = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";

// A document that wants a signature before its end tag.
const std::string head =
    "<r xmlns=\"urn:r\" xmlns:a=\"urn:a\" xmlns:unused=\"urn:u\" xml:lang=\"nl\">\n <a:one Id=\"one\" a:x=\"1\">t&amp;<two/></a:one>"
    "<three Id=\"three\" xmlns=\"\"><!-- c --></three>";
const std::string tail = "</r>";

Document parsed(std::string_view text) {
  return Document::parse(text, {}).value();
}

Element below(Element top, const std::function<bool(Element)>& wanted) {
  if (wanted(top)) return top;
  for (const Element child : top.children())
    if (const Element found = below(child, wanted)) return found;
  return {};
}
Element signature_in(const Document& document) {
  return below(document.root(), [](Element element) { return element.is(uri::ds, "Signature"); });
}
Signature read(const Document& document) {
  return read_signature(signature_in(document), {}).value();
}
std::string error_of(const std::string& signature) {
  const auto document = parsed(signature);
  const auto read = read_signature(document.root(), {});
  return read ? "none" : read.error().code;
}

std::string transforms(std::initializer_list<std::string_view> algorithms) {
  std::string out = "<ds:Transforms>";
  for (const auto algorithm : algorithms) out.append("<ds:Transform Algorithm=\"").append(algorithm).append("\"></ds:Transform>");
  return out + "</ds:Transforms>";
}

// What a reference of these tests is of: "#id" over Id or wsu:Id, or the document without its signature.
std::optional<Bytes> digest_of(const Reference& reference, const Document& document, Element signature) {
  const auto method = digest_method(reference.digest_algorithm);
  if (!method || !reference.uri || reference.transforms.empty()) return std::nullopt;
  const auto& last = reference.transforms.back();
  const auto form = canonicalisation(last.algorithm);
  if (!form) return std::nullopt;
  const std::vector<Element> omitted{signature};
  xml::CanonicalOptions options{.form = *form, .inclusive_prefixes = last.inclusive_prefixes, .omitted = omitted};
  if (reference.uri->empty()) {
    auto digest = canonical_digest(*method, document, options);
    return digest ? std::optional(*digest) : std::nullopt;
  }
  const Element apex = below(document.root(), [&](Element element) {
    return element.attribute("", "Id") == reference.uri->substr(1) || element.attribute(wsu, "Id") == reference.uri->substr(1);
  });
  if (!apex) return std::nullopt;
  auto digest = canonical_digest(*method, apex, options);
  return digest ? std::optional(*digest) : std::nullopt;
}

bool digests_fit(const Signature& signature, const Document& document) {
  return std::ranges::all_of(signature.references, [&](const Reference& reference) {
    return digest_of(reference, document, signature.element) == reference.digest_value;
  });
}

SignatureToMake references_to(const Document& document, Canonical form, SignatureMethod method, DigestMethod digest_method) {
  SignatureToMake make{.canonicalisation = form, .method = method, .references = {}, .key_info = {}};
  const auto c14n = uri_of(form);
  const auto by_id = [&](const std::string& id) {
    const Element apex = below(document.root(), [&](Element element) { return element.attribute("", "Id") == id; });
    make.references.push_back({.uri = '#' + id,
                               .transforms = transforms({c14n}),
                               .method = digest_method,
                               .digest = canonical_digest(digest_method, apex, {.form = form}).value()});
  };
  by_id("one");
  by_id("three");
  make.references.push_back({.uri = "",
                             .transforms = transforms({uri::enveloped_signature, c14n}),
                             .method = digest_method,
                             .digest = canonical_digest(digest_method, document, {.form = form}).value()});
  return make;
}

std::string signed_document(const Identity& signer, Canonical form = Canonical::exclusive,
                            SignatureMethod method = SignatureMethod::rsa_sha256, DigestMethod digest_method = DigestMethod::sha256) {
  const auto document = parsed(head + tail);
  auto make = references_to(document, form, method, digest_method);
  make.key_info = x509_key_info(signer.certificate);
  return head + make_signature(make, signer.key.get(), document.root()).value() + tail;
}

constexpr std::array forms{Canonical::exclusive, Canonical::inclusive};

// --- our own round ---------------------------------------------------------------------------------------------------------------------

// SEC-080, SEC-081, EB-152, EB-153
TEST(Signatures, VerifyAsTheyWereMadeWithEveryMethodThatIsMade) {
  for (const auto form : forms) {
    for (const auto method : {SignatureMethod::rsa_sha256, SignatureMethod::rsa_sha384, SignatureMethod::rsa_sha512}) {
      for (const auto digest : {DigestMethod::sha256, DigestMethod::sha384, DigestMethod::sha512}) {
        const auto document = parsed(signed_document(rsa(), form, method, digest));
        const auto signature = read(document);
        EXPECT_EQ(signature.signature_algorithm, uri_of(method));
        EXPECT_TRUE(verify_value(signature, rsa().certificate)) << uri_of(method);
        EXPECT_TRUE(digests_fit(signature, document)) << uri_of(digest);
        EXPECT_EQ(signature.certificates, std::vector<Bytes>{rsa().certificate->der});
      }
    }
  }
}

TEST(Signatures, StandOnOneLine) {
  EXPECT_EQ(signed_document(rsa()).substr(head.size()).find('\n'), std::string::npos);
}

TEST(Signatures, OfAnotherKeyDoNotVerify) {
  const auto document = parsed(signed_document(rsa()));
  EXPECT_EQ(verify_value(read(document), other_rsa().certificate).error().code, "signature.value");
}

TEST(Signatures, AreNotMadeWithMethodsThatAreOnlyVerifiedOrWithKeysThatDoNotFit) {
  const auto document = parsed(head + tail);
  auto make = references_to(document, Canonical::exclusive, SignatureMethod::rsa_sha256, DigestMethod::sha256);
  EXPECT_EQ(make_signature(make, ec("P-256").key.get(), document.root()).error().code, "signature.algorithm");
  EXPECT_EQ(make_signature(make, rsa(1024).key.get(), document.root()).error().code, "signature.algorithm");
  for (const auto method : {SignatureMethod::rsa_pss_sha256, SignatureMethod::ecdsa_sha256}) {
    make.method = method;
    EXPECT_EQ(make_signature(make, rsa().key.get(), document.root()).error().code, "signature.algorithm");
  }
}

TEST(Signatures, CarryAnIdAndPrefixListsWhenAsked) {  // WUS-107
  const std::vector<std::string> prefixes{"p", ""};
  EXPECT_EQ(exclusive_transforms({}),
            "<ds:Transforms><ds:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/></ds:Transforms>");
  const std::string begin = "<p:root xmlns:p=\"urn:p\" xmlns:q=\"urn:q\" xmlns=\"urn:d\"><p:part Id=\"one\"/>", end = "</p:root>";
  const auto unsigned_document = parsed(begin + end);
  const auto root = unsigned_document.root();
  SignatureToMake make{.id = "SIG-1", .inclusive_prefixes = prefixes, .references = {}, .key_info = {}};
  make.references.push_back({"#one", exclusive_transforms(prefixes), DigestMethod::sha256,
                             canonical_digest(DigestMethod::sha256, root.first_child(), {.inclusive_prefixes = prefixes}).value()});
  Bytes value;
  const auto text = make_signature(make, rsa().key.get(), root, &value).value();
  const auto document = parsed(begin + text + end);
  const auto signature = read_signature(document.root().child(uri::ds, "Signature"), {}).value();
  EXPECT_EQ(signature.element.attribute("", "Id"), "SIG-1");
  EXPECT_EQ(signature.inclusive_prefixes, prefixes);
  EXPECT_EQ(signature.references[0].transforms.at(0).inclusive_prefixes, prefixes);
  EXPECT_EQ(signature.value, value);
  EXPECT_TRUE(verify_value(signature, rsa().certificate));
  EXPECT_NE(canonicalise(signature.signed_info, {.inclusive_prefixes = prefixes}).value(), canonicalise(signature.signed_info).value())
      << "the list counts";

  make.canonicalisation = Canonical::inclusive;
  EXPECT_EQ(make_signature(make, rsa().key.get(), root).error().code, "signature.algorithm");
  make.canonicalisation = Canonical::exclusive;
  make.id = "\x01";
  EXPECT_EQ(make_signature(make, rsa().key.get(), root).error().code, "xml.character");
}

TEST(Signatures, OfWhatIsNoXmlAreNotMade) {
  const auto document = parsed(head + tail);
  auto make = references_to(document, Canonical::exclusive, SignatureMethod::rsa_sha256, DigestMethod::sha256);
  make.references[0].transforms = "<ds:Transforms>";
  EXPECT_EQ(make_signature(make, rsa().key.get(), document.root()).error().code, "signature.structure");
  make.references[0].transforms.clear();
  make.references[0].uri = "\x01";
  EXPECT_EQ(make_signature(make, rsa().key.get(), document.root()).error().code, "xml.character");
  make.references[0].uri = "cid:a&b\"<>'";
  const auto signature = make_signature(make, rsa().key.get(), document.root()).value();
  const auto again = parsed(head + signature + tail);
  EXPECT_EQ(read(again).references[0].uri, "cid:a&b\"<>'");
  EXPECT_TRUE(verify_value(read(again), rsa().certificate));
}

// Whatever octet is changed: never verified with all digests in place, never a crash.
TEST(Signatures, FailWhereverTheDocumentIsAlteredOrCut) {
  const auto text = signed_document(rsa(), Canonical::inclusive);
  const auto still_good = [&](const std::string& altered) {
    const auto document = Document::parse(altered, {});
    if (!document) return false;
    const Element element = signature_in(*document);
    if (!element) return false;
    const auto signature = read_signature(element, {});
    return signature && verify_value(*signature, rsa().certificate) && signature->references.size() == 3 &&
           digests_fit(*signature, *document);
  };
  ASSERT_TRUE(still_good(text));
  // What the canonical form does not show may change: comments, KeyInfo (a hint), white space in base64 …
  const auto key_info = text.find("<ds:KeyInfo"), comment = text.find("<!-- c -->");
  for (std::size_t at = 0; at < key_info; ++at) {
    if (at >= comment && at < comment + 10) continue;
    auto altered = text;
    altered[at] = altered[at] == 'x' ? 'y' : 'x';
    EXPECT_FALSE(still_good(altered)) << altered.substr(at > 20 ? at - 20 : 0, 40);
    EXPECT_FALSE(still_good(text.substr(0, at)));
  }
}

// --- every method that is verified -------------------------------------------------------------------------------------------------------

struct Made {
  std::string_view uri;
  const char* digest;
  bool pss;
};

// A signature of one reference by any method, in OpenSSL's own terms.
std::string signed_by(const Made& method, const Identity& signer, int salt = RSA_PSS_SALTLEN_DIGEST, const char* mgf = nullptr) {
  const std::string start = "<ds:Signature xmlns:ds=\"" + std::string(uri::ds) + "\">";
  const std::string info = "<ds:SignedInfo><ds:CanonicalizationMethod Algorithm=\"" + std::string(exclusive_uri) +
                           "\"></ds:CanonicalizationMethod><ds:SignatureMethod Algorithm=\"" + std::string(method.uri) +
                           "\"></ds:SignatureMethod><ds:Reference URI=\"cid:x\"><ds:DigestMethod Algorithm=\"" +
                           std::string(uri_of(DigestMethod::sha256)) + "\"></ds:DigestMethod><ds:DigestValue>" +
                           to_base64(sha256("payload")) + "</ds:DigestValue></ds:Reference></ds:SignedInfo>";
  const auto canonical = xml::canonicalise(parsed(start + info + "</ds:Signature>").root().first_child()).value();
  const security::DigestContextPtr context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* parameters = nullptr;
  const auto* digest = EVP_get_digestbyname(method.digest);
  EVP_DigestSignInit(context.get(), &parameters, digest, nullptr, signer.key.get());
  if (method.pss) {
    EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING);
    EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, salt);
    EVP_PKEY_CTX_set_rsa_mgf1_md(parameters, mgf == nullptr ? digest : EVP_get_digestbyname(mgf));
  }
  std::size_t size = 1024;
  Bytes value(size, '\0');
  EXPECT_EQ(
      EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(value.data()), &size, security::octets(canonical), canonical.size()),
      1);
  value.resize(size);
  if (EVP_PKEY_is_a(signer.key.get(), "EC") == 1) {
    const auto half = (EVP_PKEY_get_bits(signer.key.get()) + 7) / 8;
    const auto* der = security::octets(value);
    ECDSA_SIG* pair = d2i_ECDSA_SIG(nullptr, &der, static_cast<long>(value.size()));
    Bytes both(2 * static_cast<std::size_t>(half), '\0');
    auto* octets = reinterpret_cast<unsigned char*>(both.data());
    BN_bn2binpad(ECDSA_SIG_get0_r(pair), octets, half);
    BN_bn2binpad(ECDSA_SIG_get0_s(pair), octets + half, half);
    ECDSA_SIG_free(pair);
    value = both;
  }
  return start + info + "<ds:SignatureValue>" + to_base64(value) + "</ds:SignatureValue></ds:Signature>";
}

std::string verdict(const std::string& signature, const Identity& signer) {
  const auto document = parsed(signature);
  const auto verified = verify_value(read(document), signer.certificate);
  return verified ? "verified" : verified.error().code;
}

constexpr std::array pss_methods{Made{"http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1", "SHA256", true},
                                 Made{"http://www.w3.org/2007/05/xmldsig-more#sha384-rsa-MGF1", "SHA384", true},
                                 Made{"http://www.w3.org/2007/05/xmldsig-more#sha512-rsa-MGF1", "SHA512", true}};
constexpr std::array ecdsa_methods{Made{"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256", "SHA256", false},
                                   Made{"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384", "SHA384", false},
                                   Made{"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512", "SHA512", false}};

TEST(SignatureValues, VerifyWithRsaPss) {  // SEC-080, WUS-171
  for (const auto& method : pss_methods) EXPECT_EQ(verdict(signed_by(method, rsa()), rsa()), "verified") << method.uri;
}

// RFC 9231: the salt is as long as the hash, and MGF1 uses the same hash.
TEST(SignatureValues, OfRsaPssWithOtherParametersAreRefused) {
  EXPECT_EQ(verdict(signed_by(pss_methods[0], rsa(), 20), rsa()), "signature.value");
  EXPECT_EQ(verdict(signed_by(pss_methods[0], rsa(), RSA_PSS_SALTLEN_DIGEST, "SHA1"), rsa()), "signature.value");
}

TEST(SignatureValues, VerifyWithEcdsaOnEveryCurve) {
  for (const std::string curve : {"P-256", "P-384", "P-521", "brainpoolP256r1"}) {
    for (const auto& method : ecdsa_methods) EXPECT_EQ(verdict(signed_by(method, ec(curve)), ec(curve)), "verified") << curve << method.uri;
  }
}

TEST(SignatureValues, OfEcdsaInDerAreRefused) {
  auto document = signed_by(ecdsa_methods[0], ec("P-256"));
  const auto begin = document.find("<ds:SignatureValue>") + 19, end = document.find("</ds:SignatureValue>");
  const auto pair = from_base64(document.substr(begin, end - begin)).value();
  for (const auto& odd : {pair.substr(0, 63), '\0' + pair.substr(0, 32) + '\0' + pair.substr(32), Bytes(64, '\0')})
    EXPECT_EQ(verdict(document.substr(0, begin) + to_base64(odd) + document.substr(end), ec("P-256")), "signature.value");
}

// SEC-080: the list is closed; a method is never tried with another kind of key.
TEST(SignatureValues, OfMethodsOutsideTheListsAreRefused) {
  for (const std::string_view refused :
       {"http://www.w3.org/2000/09/xmldsig#rsa-sha1", "http://www.w3.org/2001/04/xmldsig-more#rsa-sha224",
        "http://www.w3.org/2001/04/xmldsig-more#rsa-md5", "http://www.w3.org/2000/09/xmldsig#dsa-sha1",
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha1", "http://www.w3.org/2000/09/xmldsig#hmac-sha1",
        "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256", "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256 ", ""})
    EXPECT_EQ(verdict(signed_by({refused, "SHA1", false}, rsa()), rsa()), "signature.algorithm") << refused;
  for (const std::string form : {"http://www.w3.org/2001/10/xml-exc-c14n#WithComments",
                                 "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments", "http://www.w3.org/2006/12/xml-c14n11"}) {
    auto document = signed_by({rsa_sha256_uri, "SHA256", false}, rsa());
    document.replace(document.find(exclusive_uri), exclusive_uri.size(), form);
    EXPECT_EQ(verdict(document, rsa()), "signature.algorithm") << form;
  }
}

TEST(SignatureValues, AreNotTriedWithAKeyThatDoesNotFit) {
  EXPECT_EQ(verdict(signed_by(ecdsa_methods[0], ec("P-256")), rsa()), "signature.algorithm");
  EXPECT_EQ(verdict(signed_by({rsa_sha256_uri, "SHA256", false}, rsa()), ec("P-256")), "signature.algorithm");
  EXPECT_EQ(verdict(signed_by({rsa_sha256_uri, "SHA256", false}, rsa(1024)), rsa(1024)), "signature.algorithm");  // SEC-011
}

// --- structure ---------------------------------------------------------------------------------------------------------------------------

std::string altered(std::string_view what, std::string_view by) {
  auto text = signed_by({rsa_sha256_uri, "SHA256", false}, rsa());
  const auto at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return text.replace(at, what.size(), by);
}

TEST(SignatureStructure, IsThatOfTheSchema) {
  EXPECT_EQ(error_of(altered("<ds:SignedInfo>", "<ds:SignedInfo Id=\"si\">")), "none");
  const std::vector<std::pair<std::string_view, std::string_view>> faults{
      {"<ds:SignedInfo>", "<ds:SignedInfo><ds:SignatureMethod Algorithm=\"x\"/>"},
      {"<ds:SignatureMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256\"></ds:SignatureMethod>", ""},
      {"<ds:SignatureMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256\">", "<ds:SignatureMethod>"},
      {"</ds:SignatureMethod>", "<ds:HMACOutputLength>1</ds:HMACOutputLength></ds:SignatureMethod>"},
      {"</ds:CanonicalizationMethod>", "<x/></ds:CanonicalizationMethod>"},
      {"</ds:DigestMethod>", "<x/></ds:DigestMethod>"},
      {"<ds:Reference URI=\"cid:x\">", "<ds:Reference URI=\"cid:x\"><ds:Transforms/>"},
      {"<ds:Reference URI=\"cid:x\">", "<ds:Reference URI=\"cid:x\"><ds:Transforms><ds:Transform/></ds:Transforms>"},
      {"</ds:DigestValue>", "<!-- split --></ds:DigestValue>"},
      {"</ds:DigestValue>", "<?split?></ds:DigestValue>"},
      {"</ds:DigestValue>", "<b/></ds:DigestValue>"},
      {"</ds:DigestValue>", "=</ds:DigestValue>"},
      {"</ds:DigestValue>", "</ds:DigestValue><ds:DigestValue>AAAA</ds:DigestValue>"},
      {"<ds:SignatureValue>", "<ds:SignatureValue>*"},
      {"<ds:SignatureValue>", "<ds:Object/><ds:SignatureValue>"},
      {"</ds:SignatureValue>", "</ds:SignatureValue><ds:Object><x/></ds:Object>"},
      {"</ds:SignatureValue>", "</ds:SignatureValue><ds:KeyInfo/><ds:KeyInfo/>"},
      {"</ds:SignatureValue>", "</ds:SignatureValue><x/>"},
      {"</ds:SignatureValue>",
       "</ds:SignatureValue><ds:KeyInfo><ds:X509Data><ds:X509Certificate>?</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"},
      {"</ds:CanonicalizationMethod>",
       "<e:InclusiveNamespaces xmlns:e=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/><e:InclusiveNamespaces "
       "xmlns:e=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/></ds:CanonicalizationMethod>"},
  };
  for (const auto& [what, by] : faults) EXPECT_EQ(error_of(altered(what, by)), "signature.structure") << by;
  EXPECT_EQ(error_of("<Signature/>"), "signature.structure");
}

// WUS-113: JDK peers write the references of carriage returns into long values.
TEST(SignatureStructure, ReadsBase64WithWhiteSpace) {
  auto text = signed_by({rsa_sha256_uri, "SHA256", false}, rsa());
  text.replace(text.find("<ds:SignatureValue>"), 19, "<ds:SignatureValue>\n\t &#13;&#xA;");
  EXPECT_EQ(verdict(text, rsa()), "verified");
}

TEST(SignatureStructure, KeepsItsLimits) {  // SEC-112
  const auto document = parsed(signed_document(rsa()));
  const auto code = [&](const SignatureLimits& limits) {
    const auto result = read_signature(signature_in(document), limits);
    return result ? "none" : result.error().code;
  };
  EXPECT_EQ(code({.references_max = 3, .transforms_max = 2, .certificates_max = 1}), "none");
  EXPECT_EQ(code({.references_max = 2}), "signature.limit");
  EXPECT_EQ(code({.transforms_max = 1}), "signature.limit");
  EXPECT_EQ(code({.certificates_max = 0}), "signature.limit");
  const std::string list =
      "<e:InclusiveNamespaces xmlns:e=\"http://www.w3.org/2001/10/xml-exc-c14n#\" PrefixList=\"" + std::string(1025, 'p') + "\"/>";
  EXPECT_EQ(error_of(altered("</ds:CanonicalizationMethod>", list + "</ds:CanonicalizationMethod>")), "signature.limit");
}

TEST(SignatureStructure, ReadsPrefixListsInAnyOrderAndSpacing) {  // WUS-106
  const auto text =
      altered("</ds:CanonicalizationMethod>",
              "<e:InclusiveNamespaces xmlns:e=\"http://www.w3.org/2001/10/xml-exc-c14n#\" PrefixList=\" b  #default a b&#10;\"/></"
              "ds:CanonicalizationMethod>");
  const auto document = parsed(text);
  EXPECT_EQ(read(document).inclusive_prefixes, (std::vector<std::string>{"b", "", "a"}));
}

TEST(SignatureStructure, TellsAnAbsentUriFromAnEmptyOne) {
  const auto absent = parsed(altered(" URI=\"cid:x\"", "")), empty = parsed(altered("cid:x", ""));
  EXPECT_EQ(read(absent).references[0].uri, std::nullopt);
  EXPECT_EQ(read(empty).references[0].uri, "");
}

// --- the other implementation ------------------------------------------------------------------------------------------------------------

class WithXmlsec1 : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!Xmlsec1::installed()) GTEST_SKIP() << "xmlsec1 is not installed";
  }
  Xmlsec1 xmlsec1;
  const std::string ids = " --id-attr:Id urn:a:one --id-attr:Id three ";
};

// A17
TEST_F(WithXmlsec1, OurSignaturesVerify) {
  const auto certificate = xmlsec1.file("certificate.pem", rsa().certificate.pem());
  for (const auto form : forms) {
    for (const auto method : {SignatureMethod::rsa_sha256, SignatureMethod::rsa_sha384, SignatureMethod::rsa_sha512}) {
      const auto text = signed_document(rsa(), form, method, DigestMethod::sha384);
      const auto file = xmlsec1.file("signed.xml", text);
      EXPECT_TRUE(xmlsec1.run("--verify", "--pubkey-cert-pem " + certificate + ids + file)) << xmlsec1.said();
      auto changed = text;
      changed.replace(changed.find("t&amp;"), 1, "u");
      EXPECT_FALSE(xmlsec1.run("--verify", "--pubkey-cert-pem " + certificate + ids + xmlsec1.file("changed.xml", changed)));
    }
  }
}

std::string to_be_signed(std::string_view method, std::string_view digest, Canonical form) {
  const std::string c14n(uri_of(form));
  const std::string method_and_value =
      "<ds:DigestMethod Algorithm=\"" + std::string(digest) + "\"/><ds:DigestValue></ds:DigestValue></ds:Reference>";
  return head + "<ds:Signature xmlns:ds=\"" + std::string(uri::ds) + "\">\n<ds:SignedInfo><ds:CanonicalizationMethod Algorithm=\"" + c14n +
         "\"/>\n<ds:SignatureMethod Algorithm=\"" + std::string(method) + "\"/><ds:Reference URI=\"#one\">" + transforms({c14n}) +
         method_and_value + "<ds:Reference URI=\"#three\">" + transforms({c14n}) + method_and_value + "<ds:Reference URI=\"\">" +
         transforms({uri::enveloped_signature, c14n}) + method_and_value + "</ds:SignedInfo><ds:SignatureValue/></ds:Signature>" + tail;
}

TEST_F(WithXmlsec1, ItsSignaturesVerifyHere) {
  const auto rsa_key = xmlsec1.file("rsa.pem", security::private_key_pem(rsa().key.get()).value());
  const auto ec_key = xmlsec1.file("ec.pem", security::private_key_pem(ec("P-256").key.get()).value());
  int verified = 0;
  for (const auto form : forms) {
    for (const auto method : {SignatureMethod::rsa_sha256, SignatureMethod::rsa_sha384, SignatureMethod::rsa_sha512,
                              SignatureMethod::ecdsa_sha256, SignatureMethod::ecdsa_sha384, SignatureMethod::ecdsa_sha512}) {
      const bool is_ec = method >= SignatureMethod::ecdsa_sha256;
      const auto file = xmlsec1.file("template.xml", to_be_signed(uri_of(method), uri_of(DigestMethod::sha512), form));
      ASSERT_TRUE(xmlsec1.run("--sign", "--privkey-pem " + (is_ec ? ec_key : rsa_key) + ids + file)) << xmlsec1.said();
      const auto document = parsed(xmlsec1.output());
      const auto signature = read(document);
      EXPECT_TRUE(verify_value(signature, is_ec ? ec("P-256").certificate : rsa().certificate)) << uri_of(method);
      EXPECT_TRUE(digests_fit(signature, document)) << uri_of(method);
      ++verified;
    }
  }
  EXPECT_EQ(verified, 12);
}

// --- the WUS vectors: other implementations' signatures in other documents
// -----------------------------------------------------------------

TEST(WusVectors, HaveTheSignaturesThatTheirNamesSay) {
  const std::filesystem::path folder = SCHAKEL_SOURCE_DIR "/../shared/standards/wus/vectors";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no standards folder beside the repository";
  int seen = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const auto name = entry.path().filename().string();
    if (entry.path().extension() != ".xml" || !name.starts_with("s-")) continue;
    std::ifstream in(entry.path(), std::ios::binary);
    const auto document = parsed(std::string(std::istreambuf_iterator<char>(in), {}));
    const Element token = below(document.root(), [](Element element) { return element.name() == "BinarySecurityToken"; });
    const Element element = signature_in(document);
    if (!token || !element) continue;
    ++seen;
    const auto signature = read(document);
    const auto signer = security::Certificate::from_der(from_base64_lenient(token.text()).value()).value();
    const auto verified = verify_value(signature, signer);
    if (name == "s-request-rsa-sha1.xml") {
      EXPECT_EQ(verified.error().code, "signature.algorithm") << name;
      continue;
    }
    EXPECT_TRUE(verified) << name;
    const bool fits = name != "s-request-tampered-body.xml" && name != "s-request-digest-sha1.xml";
    EXPECT_EQ(digests_fit(signature, document), fits) << name;
  }
  EXPECT_GE(seen, 15);
}

}  // namespace
}  // namespace schakel::xmlsecurity
