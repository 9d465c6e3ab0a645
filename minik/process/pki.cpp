#include "minik/process/pki.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "control/base/text.h"
#include "minik/net/freer.h"
#include "minik/process/private_file.h"

namespace minik {
namespace {

constexpr Duration kCaLifetime = hours(24 * 3650);
constexpr Duration kLeafLifetime = hours(24 * 365);
constexpr Duration kRenewBefore = hours(24 * 30);
// Clients whose clock is a little behind must not find the certificate "not yet valid".
constexpr Duration kBackdate = hours(1);

using KeyPtr = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using CertificatePtr = std::unique_ptr<X509, Freer<X509_free>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, Freer<X509_EXTENSION_free>>;
using RequestPtr = std::unique_ptr<X509_REQ, Freer<X509_REQ_free>>;
using BioPtr = std::unique_ptr<BIO, Freer<BIO_free_all>>;

// What a certificate is to be. Extension values are in OpenSSL's configuration syntax.
struct CertificatePlan {
  std::string common_name;
  std::vector<std::string> organizations;
  bool is_ca = false;
  std::string extended_usage;
  std::string alternative_names;
  std::string key_usage = "digitalSignature";
  WallTime now;
  Duration lifetime;
};

Error openssl_error(std::string_view what) {
  char text[256] = "unknown error";
  if (const unsigned long code = ERR_peek_last_error()) ERR_error_string_n(code, text, sizeof text);
  ERR_clear_error();
  return Error(ErrorCode::kInternalError, cat(what, ": ", static_cast<const char*>(text)));
}

BioPtr reader(const std::string& text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::string text_of(const BioPtr& bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<size_t>(size)};
}

KeyPtr parse_key(const std::string& pem) {
  // An empty passphrase instead of OpenSSL's question on the terminal.
  char none[] = "";
  return KeyPtr(PEM_read_bio_PrivateKey(reader(pem).get(), nullptr, nullptr, none));
}

CertificatePtr parse_certificate(const std::string& pem) {
  return CertificatePtr(PEM_read_bio_X509(reader(pem).get(), nullptr, nullptr, nullptr));
}

std::string key_pem(EVP_PKEY* key) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
  return text_of(bio);
}

std::string certificate_pem(X509* certificate) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(bio.get(), certificate);
  return text_of(bio);
}

bool add_extension(X509* certificate, X509V3_CTX* context, int nid, const std::string& value) {
  const ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, context, nid, value.c_str()));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool add_name(X509_NAME* name, const char* field, const std::string& value) {
  return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(value.data()),
                                    static_cast<int>(value.size()), -1, 0) == 1;
}

bool set_serial(X509* certificate) {
  unsigned char bytes[16];
  if (RAND_bytes(bytes, sizeof bytes) != 1) return false;
  bytes[0] = static_cast<unsigned char>((bytes[0] & 0x7f) | 0x40);  // positive, and of full length
  BIGNUM* number = BN_bin2bn(bytes, sizeof bytes, nullptr);
  const bool set = BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != nullptr;
  BN_free(number);
  return set;
}

bool fill(X509* certificate, EVP_PKEY* key, X509* issuer, const CertificatePlan& plan) {
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_TIME_set(X509_getm_notBefore(certificate), (plan.now - kBackdate).ns / 1'000'000'000);
  ASN1_TIME_set(X509_getm_notAfter(certificate), (plan.now + plan.lifetime).ns / 1'000'000'000);
  X509_NAME* subject = X509_get_subject_name(certificate);
  for (const std::string& organization : plan.organizations) {
    if (!add_name(subject, "O", organization)) return false;
  }
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  return set_serial(certificate) && add_name(subject, "CN", plan.common_name) &&
         X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1 &&
         X509_set_pubkey(certificate, key) == 1 &&
         add_extension(certificate, &context, NID_basic_constraints,
                       plan.is_ca ? "critical,CA:TRUE" : "critical,CA:FALSE") &&
         add_extension(certificate, &context, NID_key_usage,
                       plan.is_ca ? "critical,digitalSignature,keyCertSign,cRLSign"
                                  : cat("critical,", plan.key_usage)) &&
         add_extension(certificate, &context, NID_subject_key_identifier, "hash") &&
         (plan.is_ca ||
          add_extension(certificate, &context, NID_authority_key_identifier, "keyid:always")) &&
         (plan.extended_usage.empty() ||
          add_extension(certificate, &context, NID_ext_key_usage, plan.extended_usage)) &&
         (plan.alternative_names.empty() ||
          add_extension(certificate, &context, NID_subject_alt_name, plan.alternative_names));
}

// Signed by `ca`, or by itself without one.
Result<KeyPair> make_certificate(const KeyPair* ca, const CertificatePlan& plan) {
  ERR_clear_error();
  const KeyPtr key(EVP_EC_gen("P-256"));
  const CertificatePtr certificate(X509_new());
  KeyPtr ca_key;
  CertificatePtr ca_certificate;
  if (ca != nullptr) {
    ca_key = parse_key(ca->private_key_pem);
    ca_certificate = parse_certificate(ca->certificate_pem);
    if (!ca_key || !ca_certificate) return openssl_error("the cluster's CA");
  }
  X509* issuer = ca != nullptr ? ca_certificate.get() : certificate.get();
  EVP_PKEY* signer = ca != nullptr ? ca_key.get() : key.get();
  if (!key || !certificate || !fill(certificate.get(), key.get(), issuer, plan) ||
      X509_sign(certificate.get(), signer, EVP_sha256()) == 0) {
    return openssl_error(cat("make the certificate of ", plan.common_name));
  }
  return KeyPair{certificate_pem(certificate.get()), key_pem(key.get())};
}

std::vector<std::string> all_dns_names(const ServerNames& names) {
  std::vector<std::string> all = {"localhost", "kubernetes", "kubernetes.default",
                                  "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"};
  all.insert(all.end(), names.dns_names.begin(), names.dns_names.end());
  return all;
}

std::vector<std::string> all_addresses(const ServerNames& names) {
  std::vector<std::string> all = {"127.0.0.1", "::1", "10.96.0.1"};
  all.insert(all.end(), names.addresses.begin(), names.addresses.end());
  return all;
}

Result<KeyPair> make_server(const KeyPair& ca, const ServerNames& names, WallTime now) {
  std::vector<std::string> entries;
  for (const std::string& name : all_dns_names(names)) entries.push_back(cat("DNS:", name));
  for (const std::string& address : all_addresses(names)) entries.push_back(cat("IP:", address));
  return make_certificate(&ca, {.common_name = "kube-apiserver",
                                .organizations = {},
                                .extended_usage = "serverAuth",
                                .alternative_names = join(entries, ","),
                                .now = now,
                                .lifetime = kLeafLifetime});
}

// Whether a pair from an earlier start still serves.
bool is_usable(const KeyPair& pair, const KeyPair& ca, WallTime now) {
  const CertificatePtr certificate = parse_certificate(pair.certificate_pem);
  const KeyPtr key = parse_key(pair.private_key_pem);
  const CertificatePtr ca_certificate = parse_certificate(ca.certificate_pem);
  if (!certificate || !key || X509_check_private_key(certificate.get(), key.get()) != 1) {
    return false;
  }
  time_t renew_at = (now + kRenewBefore).ns / 1'000'000'000;
  return X509_verify(certificate.get(), X509_get0_pubkey(ca_certificate.get())) == 1 &&
         X509_cmp_time(X509_get0_notAfter(certificate.get()), &renew_at) > 0;
}

bool names_all(const KeyPair& pair, const ServerNames& names) {
  const CertificatePtr certificate = parse_certificate(pair.certificate_pem);
  const auto dns = all_dns_names(names);
  const auto addresses = all_addresses(names);
  return std::all_of(dns.begin(), dns.end(),
                     [&](const std::string& name) {
                       return X509_check_host(certificate.get(), name.c_str(), name.size(), 0,
                                              nullptr) == 1;
                     }) &&
         std::all_of(addresses.begin(), addresses.end(), [&](const std::string& address) {
           return X509_check_ip_asc(certificate.get(), address.c_str(), 0) == 1;
         });
}

class PkiFolder {
 public:
  PkiFolder(std::string folder, WallTime now) : folder_(std::move(folder)), now_(now) {}

  Result<KeyPair> open_ca() {
    const bool have_certificate = exists("ca.crt");
    if (!have_certificate && !exists("apiserver.crt")) return create_ca("ca", "minik-ca");
    return read_ca("ca");
  }

  // Clusters of earlier versions have none.
  Result<KeyPair> open_front_proxy_ca() {
    if (!exists("front-proxy-ca.crt")) return create_ca("front-proxy-ca", "front-proxy-ca");
    return read_ca("front-proxy-ca");
  }

  Result<KeyPair> open_server(const KeyPair& ca, const ServerNames& names) {
    if (auto pair = read_pair("apiserver");
        pair && is_usable(*pair, ca, now_) && names_all(*pair, names)) {
      return pair;
    }
    MINIK_ASSIGN(KeyPair made, make_server(ca, names, now_));
    MINIK_TRY(write_pair("apiserver", made, Durability::kRename));
    return made;
  }

  Result<KeyPair> open_client(std::string_view file, const KeyPair& ca, const std::string& common_name,
                              const std::vector<std::string>& organizations) {
    if (auto pair = read_pair(file); pair && is_usable(*pair, ca, now_)) return pair;
    MINIK_ASSIGN(KeyPair made, issue_client_certificate(ca, common_name, organizations, now_, kLeafLifetime));
    MINIK_TRY(write_pair(file, made, Durability::kRename));
    return made;
  }

  Result<std::string> open_service_account_key() {
    if (!exists("sa.key")) {
      const KeyPtr key(EVP_EC_gen("P-256"));
      if (!key) return openssl_error("make the key of ServiceAccount tokens");
      std::string pem = key_pem(key.get());
      MINIK_TRY(write_private_file(path("sa.key"), pem, Durability::kSync));
      return pem;
    }
    MINIK_ASSIGN(std::string pem, read_small_file(path("sa.key")));
    if (!parse_key(pem)) return damaged("sa.key", "is not a private key");
    return pem;
  }

 private:
  std::string path(std::string_view name) const { return cat(folder_, "/", name); }
  bool exists(std::string_view name) const { return access(path(name).c_str(), F_OK) == 0; }

  Error damaged(std::string_view name, std::string_view how) const {
    ERR_clear_error();
    return Error(ErrorCode::kInvalid,
                 cat(path(name), " ", how,
                     "; put the file back from a copy, or delete the cluster with `minik delete` "
                     "and start anew"));
  }

  Result<KeyPair> read_ca(const std::string& file) const {
    MINIK_ASSIGN(KeyPair ca, read_pair(file));
    const CertificatePtr certificate = parse_certificate(ca.certificate_pem);
    const KeyPtr key = parse_key(ca.private_key_pem);
    if (!certificate) return damaged(cat(file, ".crt"), "is not a certificate");
    if (!key) return damaged(cat(file, ".key"), "is not a private key");
    if (X509_check_private_key(certificate.get(), key.get()) != 1) {
      ERR_clear_error();
      return damaged(cat(file, ".key"), cat("does not belong to ", file, ".crt"));
    }
    time_t now = now_.ns / 1'000'000'000;
    if (X509_cmp_time(X509_get0_notAfter(certificate.get()), &now) <= 0) return damaged(cat(file, ".crt"), "has expired");
    return ca;
  }

  Result<KeyPair> create_ca(std::string_view file, const std::string& common_name) {
    MINIK_ASSIGN(KeyPair ca, make_certificate(nullptr, {.common_name = common_name,
                                                        .organizations = {},
                                                        .is_ca = true,
                                                        .extended_usage = {},
                                                        .alternative_names = {},
                                                        .now = now_,
                                                        .lifetime = kCaLifetime}));
    MINIK_TRY(write_pair(file, ca, Durability::kSync));
    return ca;
  }

  Result<KeyPair> read_pair(std::string_view name) const {
    KeyPair pair;
    MINIK_ASSIGN(pair.certificate_pem, read_file(cat(name, ".crt")));
    MINIK_ASSIGN(pair.private_key_pem, read_file(cat(name, ".key")));
    return pair;
  }

  Result<std::string> read_file(const std::string& name) const {
    auto text = read_small_file(path(name));
    if (!text && text.error().code == ErrorCode::kNotFound) return damaged(name, "is missing");
    return text;
  }

  // The key first: a certificate in place says that its key is there too.
  Status write_pair(std::string_view name, const KeyPair& pair, Durability durability) const {
    MINIK_TRY(write_private_file(path(cat(name, ".key")), pair.private_key_pem, durability));
    return write_private_file(path(cat(name, ".crt")), pair.certificate_pem, durability);
  }

  std::string folder_;
  WallTime now_;
};

}  // namespace

Result<ClusterPki> open_pki(const std::string& folder, const ServerNames& names, WallTime now) {
  MINIK_TRY(make_folder(folder, 0700));
  PkiFolder files(folder, now);
  ClusterPki pki;
  MINIK_ASSIGN(pki.ca, files.open_ca());
  MINIK_ASSIGN(pki.service_account_key_pem, files.open_service_account_key());
  MINIK_ASSIGN(pki.server, files.open_server(pki.ca, names));
  MINIK_ASSIGN(pki.admin, files.open_client("admin", pki.ca, "kubernetes-admin", {"system:masters"}));
  MINIK_ASSIGN(pki.front_proxy_ca, files.open_front_proxy_ca());
  MINIK_ASSIGN(pki.front_proxy_client, files.open_client(kFrontProxyName, pki.front_proxy_ca, kFrontProxyName, {}));
  ERR_clear_error();
  return pki;
}

Result<KeyPair> issue_client_certificate(const KeyPair& ca, const std::string& common_name,
                                         const std::vector<std::string>& organizations,
                                         WallTime now, Duration lifetime) {
  return make_certificate(&ca, {.common_name = common_name,
                                .organizations = organizations,
                                .extended_usage = "clientAuth",
                                .alternative_names = {},
                                .now = now,
                                .lifetime = lifetime});
}

namespace {

std::vector<std::string> subject_entries(const X509_NAME* subject, int nid) {
  std::vector<std::string> found;
  for (int at = X509_NAME_get_index_by_NID(subject, nid, -1); at >= 0;
       at = X509_NAME_get_index_by_NID(subject, nid, at)) {
    unsigned char* text = nullptr;
    const int size =
        ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    if (size < 0) continue;
    found.emplace_back(reinterpret_cast<const char*>(text), static_cast<size_t>(size));
    OPENSSL_free(text);
  }
  return found;
}

// The request's other names as an extension to copy, or null.
ExtensionPtr other_names(X509_REQ* request) {
  STACK_OF(X509_EXTENSION)* all = X509_REQ_get_extensions(request);
  if (all == nullptr) return {};
  const int at = X509v3_get_ext_by_NID(all, NID_subject_alt_name, -1);
  ExtensionPtr found(at < 0 ? nullptr : X509_EXTENSION_dup(X509v3_get_ext(all, at)));
  sk_X509_EXTENSION_pop_free(all, X509_EXTENSION_free);
  return found;
}

Error refused(std::string_view why) {
  ERR_clear_error();
  return Error(ErrorCode::kInvalid, cat("the certificate request ", why));
}

Result<CertificatePlan> plan_of(X509_REQ* request, const RequestRules& rules) {
  const X509_NAME* subject = X509_REQ_get_subject_name(request);
  const auto names = subject_entries(subject, NID_commonName);
  CertificatePlan plan;
  plan.organizations = subject_entries(subject, NID_organizationName);
  if (names.size() != 1) return refused("must have one common name");
  plan.common_name = names.front();
  if (!plan.common_name.starts_with(rules.name_prefix)) {
    return refused(cat("must have a common name that begins with ", rules.name_prefix));
  }
  if (!rules.organization.empty() && plan.organizations != std::vector{rules.organization}) {
    return refused(cat("must be of the organization ", rules.organization, " alone"));
  }
  if (std::ranges::find(plan.organizations, "system:masters") != plan.organizations.end())
    return refused("must not be of the organization system:masters");
  plan.extended_usage = rules.server ? "serverAuth" : "clientAuth";
  if (rules.key_encipherment) plan.key_usage = "digitalSignature,keyEncipherment";
  return plan;
}

}  // namespace

Result<std::string> sign_certificate_request(const KeyPair& ca, const std::string& request_pem,
                                             const RequestRules& rules, WallTime now,
                                             Duration lifetime) {
  ERR_clear_error();
  const RequestPtr request(
      PEM_read_bio_X509_REQ(reader(request_pem).get(), nullptr, nullptr, nullptr));
  if (!request) return refused("is not a PKCS #10 request in PEM");
  const KeyPtr key(X509_REQ_get_pubkey(request.get()));
  if (!key || X509_REQ_verify(request.get(), key.get()) != 1) {
    return refused("is not signed by its own key");
  }
  MINIK_ASSIGN(CertificatePlan plan, plan_of(request.get(), rules));
  plan.now = now;
  plan.lifetime = lifetime;
  const ExtensionPtr names = other_names(request.get());
  if (names && !rules.may_have_other_names) return refused("must not have a subjectAltName");
  if (!names && rules.must_have_other_names) return refused("must have a subjectAltName");
  const KeyPtr ca_key = parse_key(ca.private_key_pem);
  const CertificatePtr issuer = parse_certificate(ca.certificate_pem);
  const CertificatePtr certificate(X509_new());
  const bool made = ca_key && issuer && certificate &&
                    fill(certificate.get(), key.get(), issuer.get(), plan) &&
                    (!names || X509_add_ext(certificate.get(), names.get(), -1) == 1) &&
                    X509_sign(certificate.get(), ca_key.get(), EVP_sha256()) != 0;
  if (!made) return openssl_error("sign a certificate request");
  return certificate_pem(certificate.get());
}

}  // namespace minik
