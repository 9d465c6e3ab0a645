#include "minik/net/blocking_stream.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>

#include "control/base/check.h"
#include "control/base/text.h"

namespace minik {

namespace {

int64_t monotonic_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

}  // namespace

Deadline::Deadline(Duration limit, int stop) : end_ns_(monotonic_ns() + limit.ns), stop_(stop) {}

bool Deadline::stopped() const {
  pollfd stop{stop_, POLLIN, 0};
  return stop_ >= 0 && poll(&stop, 1, 0) > 0;
}

int Deadline::left_ms() const {
  return stopped() ? 0 : static_cast<int>(std::clamp<int64_t>((end_ns_ - monotonic_ns()) / 1'000'000, 0, 1 << 30));
}

bool Deadline::wait(std::span<pollfd> fds) const {
  std::array<pollfd, 4> all;
  CHECK(fds.size() < all.size()) << fds.size();
  std::ranges::copy(fds, all.begin());
  all[fds.size()] = {stop_, POLLIN, 0};  // poll() passes over a descriptor of -1
  if (poll(all.data(), fds.size() + 1, left_ms()) <= 0 || all[fds.size()].revents != 0) return false;
  std::copy_n(all.begin(), fds.size(), fds.begin());
  return true;
}

void Deadline::pause(Duration time) const {
  Deadline sooner = *this;
  sooner.end_ns_ = std::min(end_ns_, monotonic_ns() + time.ns);
  (void)sooner.wait({});
}

Error Deadline::passed() { return Error(ErrorCode::kTimeout, "context deadline exceeded"); }

BlockingStream::BlockingStream(UniqueFd fd, const Deadline& deadline) : fd_(std::move(fd)), deadline_(deadline) {
  fcntl(fd_.get(), F_SETFL, fcntl(fd_.get(), F_GETFL) | O_NONBLOCK);
}

BlockingStream::~BlockingStream() { SSL_free(tls_); }

Status BlockingStream::wait_for(Way way) {
  pollfd one[] = {{fd_.get(), static_cast<short>(way == Way::kRead ? POLLIN : POLLOUT), 0}};
  return deadline_.wait(one) ? Status() : Status(Deadline::passed());
}

Status BlockingStream::wait_for_tls(int result) {
  const int error = SSL_get_error(tls_, result);
  if (error == SSL_ERROR_WANT_READ) return wait_for(Way::kRead);
  if (error == SSL_ERROR_WANT_WRITE) return wait_for(Way::kWrite);
  return Error(ErrorCode::kServiceUnavailable, "EOF");
}

bool BlockingStream::answers_in_plain_http() const {
  char first[5];
  return recv(fd_.get(), first, sizeof first, MSG_PEEK) == sizeof first && std::string_view(first, sizeof first) == "HTTP/";
}

Status BlockingStream::shake_hands(const TlsClient& client, const std::string& name) {
  ERR_clear_error();
  tls_ = SSL_new(client.context());
  X509_VERIFY_PARAM* wanted = SSL_get0_param(tls_);
  if (X509_VERIFY_PARAM_set1_ip_asc(wanted, name.c_str()) != 1) {
    SSL_set_tlsext_host_name(tls_, name.c_str());
    if (client.check() == ServerCheck::kFull) X509_VERIFY_PARAM_set1_host(wanted, name.c_str(), name.size());
  }
  SSL_set_fd(tls_, fd_.get());
  while (true) {
    const int result = SSL_connect(tls_);
    if (result == 1) return {};
    if (const Status waited = wait_for_tls(result); waited.ok()) {
      if (!answers_in_plain_http()) continue;
      return Error(ErrorCode::kBadRequest, "http: server gave HTTP response to HTTPS client");
    }
    const long verdict = SSL_get_verify_result(tls_);
    if (client.check() == ServerCheck::kFull && verdict != X509_V_OK) {
      return Error(ErrorCode::kForbidden, cat("tls: failed to verify certificate: x509: ", X509_verify_cert_error_string(verdict)));
    }
    return deadline_.left_ms() == 0 ? Deadline::passed() : Error(ErrorCode::kServiceUnavailable, "tls: handshake failure");
  }
}

Status BlockingStream::write(std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t taken = 0;
    if (tls_ != nullptr) {
      taken = SSL_write(tls_, bytes.data(), static_cast<int>(std::min<size_t>(bytes.size(), 1 << 20)));
      if (taken <= 0) MINIK_TRY(wait_for_tls(static_cast<int>(taken)));
    } else {
      taken = send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (taken < 0 && errno != EAGAIN && errno != EINTR) return Error(ErrorCode::kServiceUnavailable, "write: broken pipe");
      if (taken < 0) MINIK_TRY(wait_for(Way::kWrite));
    }
    if (taken > 0) bytes.remove_prefix(static_cast<size_t>(taken));
  }
  return {};
}

Result<std::string> BlockingStream::read() {
  char buffer[16 * 1024];
  while (deadline_.left_ms() > 0) {  // also for one who never stops sending
    if (tls_ != nullptr) {
      const int count = SSL_read(tls_, buffer, sizeof buffer);
      if (count > 0) return std::string(buffer, static_cast<size_t>(count));
      if (SSL_get_error(tls_, count) == SSL_ERROR_ZERO_RETURN) return std::string();
      MINIK_TRY(wait_for_tls(count));
    } else {
      const ssize_t count = recv(fd_.get(), buffer, sizeof buffer, 0);
      if (count >= 0) return std::string(buffer, static_cast<size_t>(count));
      if (errno != EAGAIN && errno != EINTR) return Error(ErrorCode::kServiceUnavailable, "read: connection reset by peer");
      MINIK_TRY(wait_for(Way::kRead));
    }
  }
  return Deadline::passed();
}

}  // namespace minik
