#include "minik/net/tls_client.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>
#include <utility>

#include "control/base/text.h"
#include "minik/net/fd_channel.h"
#include "minik/net/freer.h"
#include "minik/net/limits.h"

namespace minik {

namespace {

Error unusable(std::string_view what) {
  ERR_clear_error();
  return Error(ErrorCode::kInvalid, std::string(what));
}

using BioPtr = std::unique_ptr<BIO, Freer<BIO_free>>;
using X509Ptr = std::unique_ptr<X509, Freer<X509_free>>;

BioPtr reader(const std::string& pem) { return BioPtr(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))); }

Status trust(SSL_CTX* context, const std::string& ca_pem) {
  if (ca_pem.empty()) {
    SSL_CTX_set_default_verify_paths(context);
    return {};
  }
  const BioPtr bytes = reader(ca_pem);
  bool any = false;
  while (const X509Ptr authority{PEM_read_bio_X509(bytes.get(), nullptr, nullptr, nullptr)}) {
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority.get());
    any = true;
  }
  ERR_clear_error();  // the end of the text is reported as an error
  return any ? Status() : Status(unusable("unable to load root certificates: no certificate in caBundle"));
}

Status show(SSL_CTX* context, const TlsClientMaterial& material) {
  const X509Ptr certificate(PEM_read_bio_X509(reader(material.certificate_pem).get(), nullptr, nullptr, nullptr));
  EVP_PKEY* key = PEM_read_bio_PrivateKey(reader(material.private_key_pem).get(), nullptr, nullptr, nullptr);
  const bool used = certificate && key != nullptr && SSL_CTX_use_certificate(context, certificate.get()) == 1 &&
                    SSL_CTX_use_PrivateKey(context, key) == 1;
  EVP_PKEY_free(key);
  return used ? Status() : Status(unusable("the client certificate and its key cannot be used"));
}

}  // namespace

Result<std::shared_ptr<const TlsClient>> TlsClient::create(const TlsClientMaterial& material) {
  ERR_clear_error();
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  CHECK(context != nullptr) << "a TLS context";
  std::shared_ptr<const TlsClient> client(new TlsClient(context, material.check));
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  static constexpr std::array<unsigned char, 9> kHttp11 = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
  SSL_CTX_set_alpn_protos(context, kHttp11.data(), kHttp11.size());
  SSL_CTX_set_verify(context, material.check == ServerCheck::kFull ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  if (material.check == ServerCheck::kFull) MINIK_TRY(trust(context, material.ca_pem));
  if (!material.certificate_pem.empty()) MINIK_TRY(show(context, material));
  return client;
}

TlsClient::~TlsClient() { SSL_CTX_free(context_); }

namespace {

class PlainStream final : public ByteStream {
 public:
  PlainStream(std::shared_ptr<EventLoop> loop, UniqueFd fd)
      : loop_(std::move(loop)), channel_(FdChannel::open(*loop_, std::move(fd))) {}

  void start(Events events) override {
    FdChannel::Events of_channel;
    of_channel.on_bytes = std::move(events.on_bytes);
    of_channel.on_drain = std::move(events.on_drain);
    // A peer may answer and close before it has read everything: that it reads no more does not count.
    of_channel.on_end = std::move(events.on_close);
    channel_->start(std::move(of_channel));
    channel_->resume_reading();
  }
  void send(std::string_view bytes) override { channel_->write(bytes); }
  size_t backlog() const override { return channel_->backlog(); }
  void pause_reading() override { channel_->pause_reading(); }
  void resume_reading() override { channel_->resume_reading(); }
  void close() override { channel_->close(); }
  const std::shared_ptr<EventLoop>& loop() const override { return loop_; }

 private:
  const std::shared_ptr<EventLoop> loop_;
  const std::shared_ptr<FdChannel> channel_;
};

class TlsStream final : public ByteStream, public TlsHandshake, public std::enable_shared_from_this<TlsStream> {
 public:
  TlsStream(std::shared_ptr<EventLoop> loop, UniqueFd fd, const TlsClient& client, const std::string& name, Done done)
      : loop_(std::move(loop)),
        channel_(FdChannel::open(*loop_, std::move(fd))),
        ssl_(SSL_new(client.context())),
        done_(std::move(done)) {
    CHECK(ssl_ != nullptr) << "a TLS session";
    SSL_set_bio(ssl_, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(ssl_);
    X509_VERIFY_PARAM* wanted = SSL_get0_param(ssl_);
    if (name.empty() || X509_VERIFY_PARAM_set1_ip_asc(wanted, name.c_str()) == 1) return;
    SSL_set_tlsext_host_name(ssl_, name.c_str());
    if (client.check() == ServerCheck::kFull) X509_VERIFY_PARAM_set1_host(wanted, name.c_str(), name.size());
  }
  ~TlsStream() override {
    channel_->close();
    SSL_free(ssl_);
  }

  void begin() {
    FdChannel::Events events;
    events.on_bytes = [weak = weak_from_this()](std::string_view bytes) {
      if (const auto self = weak.lock()) self->received(bytes);
    };
    events.on_end = [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->ended();
    };
    events.on_drain = [weak = weak_from_this()] {
      const auto self = weak.lock();
      const auto events_of_user = self ? self->events_ : nullptr;
      if (events_of_user && events_of_user->on_drain) events_of_user->on_drain();
    };
    channel_->start(std::move(events));
    channel_->resume_reading();
    shake_hands();
  }

  void start(Events events) override {
    events_ = std::make_shared<Events>(std::move(events));
    // The first bytes may have come with the end of the handshake.
    loop_->post([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->deliver();
    });
  }

  void send(std::string_view bytes) override {
    while (!bytes.empty()) {
      ERR_clear_error();
      size_t taken = 0;
      if (SSL_write_ex(ssl_, bytes.data(), bytes.size(), &taken) != 1) return;
      bytes.remove_prefix(taken);
    }
    flush();
  }
  size_t backlog() const override { return channel_->backlog(); }
  void pause_reading() override { channel_->pause_reading(); }
  void resume_reading() override { channel_->resume_reading(); }
  void close() override {
    events_.reset();
    done_ = nullptr;
    channel_->close();
  }
  const std::shared_ptr<EventLoop>& loop() const override { return loop_; }

 private:
  void flush() {
    char* data = nullptr;
    BIO* out = SSL_get_wbio(ssl_);
    const long size = BIO_get_mem_data(out, &data);
    if (size > 0) channel_->write({data, static_cast<size_t>(size)});
    BIO_reset(out);
  }

  void received(std::string_view bytes) {
    BIO_write(SSL_get_rbio(ssl_), bytes.data(), static_cast<int>(bytes.size()));
    if (!SSL_is_init_finished(ssl_)) shake_hands();
    if (SSL_is_init_finished(ssl_)) deliver();
  }

  void shake_hands() {
    ERR_clear_error();
    const int result = SSL_do_handshake(ssl_);
    const int error = SSL_get_error(ssl_, result);
    flush();  // an alert says why, too
    if (result != 1 && error == SSL_ERROR_WANT_READ) return;
    if (result != 1) return refuse(why());
    if (const auto done = std::exchange(done_, nullptr)) done(std::static_pointer_cast<ByteStream>(shared_from_this()));
  }

  std::string why() const {
    const long verdict = SSL_get_verify_result(ssl_);
    if (verdict != X509_V_OK && SSL_get_verify_mode(ssl_) != SSL_VERIFY_NONE)
      return cat("tls: failed to verify certificate: x509: ", X509_verify_cert_error_string(verdict));
    const char* reason = ERR_reason_error_string(ERR_peek_error());
    return cat("tls: ", reason != nullptr ? reason : "handshake failure");
  }

  void refuse(const std::string& why) {
    const auto self = shared_from_this();
    if (const auto done = std::exchange(done_, nullptr)) done(Error(ErrorCode::kServiceUnavailable, why));
    channel_->close();
  }

  // Whatever can be read of what has come.
  void deliver() {
    const auto self = shared_from_this();
    thread_local std::array<char, kPumpReadBytes> buffer;
    while (const auto events = events_) {
      ERR_clear_error();
      size_t got = 0;
      const int result = SSL_read_ex(ssl_, buffer.data(), buffer.size(), &got);
      if (result == 1) {
        if (events->on_bytes) events->on_bytes({buffer.data(), got});
        continue;
      }
      flush();  // TLS may want to answer what it has read
      if (SSL_get_error(ssl_, result) != SSL_ERROR_WANT_READ) close_by_peer();
      return;
    }
  }

  void ended() {
    const auto self = shared_from_this();
    if (done_) return refuse("EOF");
    close_by_peer();
  }

  void close_by_peer() {
    channel_->close();
    if (const auto events = std::exchange(events_, nullptr); events && events->on_close) events->on_close();
  }

  const std::shared_ptr<EventLoop> loop_;
  const std::shared_ptr<FdChannel> channel_;
  ssl_st* const ssl_;
  Done done_;
  // Shared, so that a callback which closes the stream does not pull itself away from under its feet.
  std::shared_ptr<Events> events_;
};

}  // namespace

std::shared_ptr<ByteStream> plain_stream(std::shared_ptr<EventLoop> loop, UniqueFd fd) {
  return std::make_shared<PlainStream>(std::move(loop), std::move(fd));
}

std::shared_ptr<TlsHandshake> TlsHandshake::begin(std::shared_ptr<EventLoop> loop, UniqueFd fd, const TlsClient& client,
                                                  const std::string& name, Done done) {
  auto stream = std::make_shared<TlsStream>(std::move(loop), std::move(fd), client, name, std::move(done));
  stream->loop()->post([weak = std::weak_ptr<TlsStream>(stream)] {
    if (const auto self = weak.lock()) self->begin();
  });
  return stream;
}

}  // namespace minik
