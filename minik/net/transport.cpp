#include "minik/net/transport.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

#include "control/base/text.h"
#include "minik/net/fd_channel.h"
#include "minik/net/freer.h"

namespace minik {
namespace {

// OpenSSL's own socket BIO writes with write(2), which raises SIGPIPE on a connection that the peer
// has closed. This one sends without the signal, so that the library needs no process-wide setting.
int bio_fd(BIO* bio) {
  return static_cast<int>(reinterpret_cast<intptr_t>(BIO_get_data(bio)));
}

int bio_write(BIO* bio, const char* bytes, int size) {
  BIO_clear_retry_flags(bio);
  const ssize_t sent = send(bio_fd(bio), bytes, static_cast<size_t>(size), MSG_NOSIGNAL);
  if (sent < 0 && would_block()) BIO_set_retry_write(bio);
  return static_cast<int>(sent);
}

int bio_read(BIO* bio, char* buffer, int size) {
  BIO_clear_retry_flags(bio);
  const ssize_t got = recv(bio_fd(bio), buffer, static_cast<size_t>(size), 0);
  if (got < 0 && would_block()) BIO_set_retry_read(bio);
  return static_cast<int>(got);
}

long bio_ctrl(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

const BIO_METHOD* socket_method() {
  static const BIO_METHOD* const method = [] {
    BIO_METHOD* m = BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_get_new_index(), "minik socket");
    BIO_meth_set_write(m, bio_write);
    BIO_meth_set_read(m, bio_read);
    BIO_meth_set_ctrl(m, bio_ctrl);
    return m;
  }();
  return method;
}

Error openssl_error(std::string_view what) {
  char text[256] = "unknown error";
  if (const unsigned long code = ERR_peek_last_error()) ERR_error_string_n(code, text, sizeof text);
  ERR_clear_error();
  return Error(ErrorCode::kInvalid, cat(what, ": ", std::string_view(text)));
}

using BioPtr = std::unique_ptr<BIO, Freer<BIO_free>>;
using X509Ptr = std::unique_ptr<X509, Freer<X509_free>>;

BioPtr memory_bio(const std::string& text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

Status use_certificates(SSL_CTX* context, const TlsMaterial& material) {
  const BioPtr chain = memory_bio(material.certificate_pem);
  const X509Ptr leaf(PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr));
  if (!leaf || SSL_CTX_use_certificate(context, leaf.get()) != 1) {
    return openssl_error("server certificate");
  }
  while (const X509Ptr next{PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr)}) {
    if (SSL_CTX_add1_chain_cert(context, next.get()) != 1) return openssl_error("server chain");
  }
  ERR_clear_error();  // the end of the file is reported as an error
  const BioPtr key_bio = memory_bio(material.private_key_pem);
  EVP_PKEY* key = PEM_read_bio_PrivateKey(key_bio.get(), nullptr, nullptr, nullptr);
  const bool used = key != nullptr && SSL_CTX_use_PrivateKey(context, key) == 1 &&
                    SSL_CTX_check_private_key(context) == 1;
  EVP_PKEY_free(key);
  if (!used) return openssl_error("server key");
  return {};
}

// The handshake succeeds with any certificate; the verdict is kept in the session (and its ticket)
// and read by peer_identity().
int accept_and_remember(int, X509_STORE_CTX*) {
  return 1;
}

Status use_client_ca(SSL_CTX* context, const std::string& pem) {
  const BioPtr bio = memory_bio(pem);
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  bool any = false;
  while (const X509Ptr ca{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)}) {
    if (X509_STORE_add_cert(store, ca.get()) != 1 ||
        SSL_CTX_add_client_CA(context, ca.get()) != 1) {
      return openssl_error("client CA");
    }
    any = true;
  }
  if (!any) return openssl_error("client CA");
  ERR_clear_error();
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE, accept_and_remember);
  return {};
}

// http/1.1 when the client offers it; a client that offers only others goes on without ALPN and
// finds out by itself.
int select_protocol(SSL*, const unsigned char** out, unsigned char* out_size,
                    const unsigned char* in, unsigned int in_size, void*) {
  static const unsigned char kHttp11[] = "\x08http/1.1";
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_size, kHttp11, sizeof kHttp11 - 1, in, in_size) !=
      OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_NOACK;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

std::vector<std::string> name_entries(const X509_NAME* name, int nid) {
  std::vector<std::string> values;
  for (int at = -1; (at = X509_NAME_get_index_by_NID(name, nid, at)) >= 0;) {
    const ASN1_STRING* data = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
    unsigned char* utf8 = nullptr;
    const int size = ASN1_STRING_to_UTF8(&utf8, data);
    if (size >= 0) values.emplace_back(reinterpret_cast<char*>(utf8), static_cast<size_t>(size));
    OPENSSL_free(utf8);
  }
  return values;
}

}  // namespace

// The session keeps a reference to the context that it moves to.
int TlsServer::on_name(ssl_st* session, int*, void* server) {
  const char* name = SSL_get_servername(session, TLSEXT_NAMETYPE_host_name);
  if (name == nullptr) return SSL_TLSEXT_ERR_NOACK;
  const auto chosen = static_cast<const TlsServer*>(server)->choose_(name);
  if (chosen) SSL_set_SSL_CTX(session, chosen->context_);
  return SSL_TLSEXT_ERR_OK;
}

Result<std::shared_ptr<TlsServer>> TlsServer::create(const TlsMaterial& material, Choose choose) {
  ERR_clear_error();
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  if (context == nullptr) return openssl_error("TLS");
  std::shared_ptr<TlsServer> server(new TlsServer(context));
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(
      context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
  // Writes go as far as the socket takes them; idle connections give their 34 KiB of buffers back.
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(context, 1);  // a record's head and body in one system call
  // Sessions live in tickets at the client; the server keeps none.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, 1);
  static const unsigned char kSessionContext[] = "minik";
  SSL_CTX_set_session_id_context(context, kSessionContext, sizeof kSessionContext - 1);
  SSL_CTX_set_alpn_select_cb(context, select_protocol, nullptr);
  MINIK_TRY(use_certificates(context, material));
  if (!material.client_ca_pem.empty()) MINIK_TRY(use_client_ca(context, material.client_ca_pem));
  if (choose) {
    server->choose_ = std::move(choose);
    SSL_CTX_set_tlsext_servername_callback(context, &TlsServer::on_name);
    SSL_CTX_set_tlsext_servername_arg(context, server.get());
  }
  return server;
}

TlsServer::~TlsServer() {
  SSL_CTX_free(context_);
}

Transport::Transport(UniqueFd fd, const TlsServer* tls) : fd_(std::move(fd)) {
  if (tls == nullptr) return;
  ssl_ = SSL_new(tls->context_);
  CHECK(ssl_ != nullptr);
  BIO* bio = BIO_new(socket_method());
  CHECK(bio != nullptr);
  BIO_set_data(bio, reinterpret_cast<void*>(static_cast<intptr_t>(fd_.get())));
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_, bio, bio);
  SSL_set_accept_state(ssl_);
}

Transport::Transport(Transport&& other) noexcept
    : fd_(std::move(other.fd_)), ssl_(std::exchange(other.ssl_, nullptr)) {}

Transport::~Transport() {
  SSL_free(ssl_);
}

IoStatus Transport::status_of(int result) const {
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ:
      return IoStatus::kWantRead;
    case SSL_ERROR_WANT_WRITE:
      return IoStatus::kWantWrite;
    case SSL_ERROR_ZERO_RETURN:
      return IoStatus::kClosed;
    default:
      return IoStatus::kFailed;
  }
}

IoStatus Transport::handshake() {
  if (ssl_ == nullptr) return IoStatus::kOk;
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_);
  return result == 1 ? IoStatus::kOk : status_of(result);
}

IoResult Transport::read(std::span<char> buffer) {
  if (ssl_ == nullptr) {
    const ssize_t got = recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (got > 0) return {IoStatus::kOk, static_cast<size_t>(got)};
    if (got == 0) return {IoStatus::kClosed};
    return {would_block() ? IoStatus::kWantRead : IoStatus::kFailed};
  }
  ERR_clear_error();
  size_t got = 0;
  const int result = SSL_read_ex(ssl_, buffer.data(), buffer.size(), &got);
  if (result == 1) return {IoStatus::kOk, got};
  return {status_of(result)};
}

IoResult Transport::write(std::string_view bytes) {
  if (ssl_ == nullptr) {
    const ssize_t sent = send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) return {IoStatus::kOk, static_cast<size_t>(sent)};
    return {would_block() ? IoStatus::kWantWrite : IoStatus::kFailed};
  }
  ERR_clear_error();
  size_t sent = 0;
  const int result = SSL_write_ex(ssl_, bytes.data(), bytes.size(), &sent);
  if (result == 1) return {IoStatus::kOk, sent};
  return {status_of(result)};
}

bool Transport::has_pending() const {
  return ssl_ != nullptr && SSL_has_pending(ssl_) == 1;
}

void Transport::shutdown_write() {
  if (ssl_ != nullptr && SSL_is_init_finished(ssl_)) {
    ERR_clear_error();
    SSL_shutdown(ssl_);
  }
  ::shutdown(fd_.get(), SHUT_WR);
}

PeerIdentity Transport::peer_identity() const {
  PeerIdentity peer;
  if (ssl_ == nullptr) return peer;
  const X509* certificate = SSL_get0_peer_certificate(ssl_);
  if (certificate == nullptr) return peer;
  const long verdict = SSL_get_verify_result(ssl_);
  if (verdict != X509_V_OK) {
    peer.state = PeerIdentity::State::kRejected;
    peer.reason = X509_verify_cert_error_string(verdict);
    return peer;
  }
  const X509_NAME* subject = X509_get_subject_name(certificate);
  const auto names = name_entries(subject, NID_commonName);
  if (!names.empty()) peer.common_name = names.front();
  peer.organizations = name_entries(subject, NID_organizationName);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (X509_digest(certificate, EVP_sha256(), digest.data(), &size) == 1)
    peer.fingerprint = to_hex({reinterpret_cast<const char*>(digest.data()), size});
  peer.state = PeerIdentity::State::kVerified;
  return peer;
}

}  // namespace minik
