// One connection of the load generator: non-blocking TLS or plain TCP, and the two languages that it
// speaks just well enough to measure: HTTP/1.1 (the API) and unary gRPC over HTTP/2 (etcd).
//
// It shares the machine with what it measures, so it is cheap: no allocation per request but the text
// of the request, no parsing but lengths. Whatever it does not understand ends the program.
#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>
#include <time.h>

namespace load {

[[noreturn]] inline void die(std::string_view what) {
  std::fprintf(stderr, "api_load: %.*s\n", static_cast<int>(what.size()), what.data());
  std::exit(1);
}

inline int64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

struct Target {
  uint16_t port = 0;
  SSL_CTX* tls = nullptr;  // null: plain
};

class Connection {
 public:
  Connection(const Target& target, int epoll) {
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(target.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd_ < 0 || connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      die("cannot connect");
    }
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (target.tls != nullptr) {
      ssl_ = SSL_new(target.tls);
      SSL_set_fd(ssl_, fd_);
      if (SSL_connect(ssl_) != 1) die("TLS handshake failed");
    }
    const timeval short_wait{0, 1};  // blocking sends, reads only when epoll says so
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &short_wait, sizeof short_wait);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = this;
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd_, &event);
  }
  virtual ~Connection() {
    SSL_free(ssl_);
    close(fd_);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto sent = ssl_ ? SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()))
                             : write(fd_, bytes.data(), bytes.size());
      if (sent <= 0) die("the server closed a connection");
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
  }

  void readable() {
    static char buffer[256 * 1024];
    do {
      const auto got = ssl_ ? SSL_read(ssl_, buffer, sizeof buffer) : read(fd_, buffer, sizeof buffer);
      if (got <= 0) {
        const bool later = ssl_ ? SSL_get_error(ssl_, static_cast<int>(got)) == SSL_ERROR_WANT_READ
                                : got < 0 && (errno == EAGAIN || errno == EINTR);
        if (later) return;
        return closed();
      }
      received({buffer, static_cast<size_t>(got)});
    } while (ssl_ && SSL_has_pending(ssl_));
  }

 protected:
  virtual void received(std::string_view bytes) = 0;
  virtual void closed() { die("the server closed a connection"); }

 private:
  int fd_ = -1;
  SSL* ssl_ = nullptr;
};

// Answers with a length or in chunks. `on_done(status, bytes)` for each; `on_data` sees bodies as they
// come (decoded from chunks).
class HttpConnection : public Connection {
 public:
  using Connection::Connection;
  std::function<void(int status, size_t bytes)> on_done;
  std::function<void(std::string_view)> on_data;

  void request(std::string_view method, std::string_view path, std::string_view type, std::string_view body,
               std::string_view more_headers = {}) {
    std::string text;
    text.reserve(256 + body.size());
    text.append(method).append(" ").append(path).append(" HTTP/1.1\r\nhost: load\r\naccept: application/json\r\n");
    text.append(more_headers);
    if (!type.empty()) {
      text.append("content-type: ").append(type).append("\r\ncontent-length: ").append(std::to_string(body.size()));
      text.append("\r\n");
    }
    text.append("\r\n").append(body);
    send(text);
  }

 protected:
  void received(std::string_view bytes) override {
    while (!bytes.empty()) {
      if (where_ == Where::kHead || where_ == Where::kChunkSize) {
        const std::string_view end = where_ == Where::kHead ? "\r\n\r\n" : "\r\n";
        const size_t before = line_.size();
        line_.append(bytes);
        const size_t found = line_.find(end, before < 3 ? 0 : before - 3);
        if (found == std::string::npos) return;
        bytes.remove_prefix(found + end.size() - before);
        line_.resize(found);
        where_ == Where::kHead ? head() : chunk_size();
        line_.clear();
        continue;
      }
      const auto part = bytes.substr(0, left_);
      if (on_data && where_ != Where::kChunkEnd) on_data(part);
      if (where_ != Where::kChunkEnd) size_ += part.size();
      left_ -= part.size();
      bytes.remove_prefix(part.size());
      if (left_ == 0) part_done();
    }
  }

 private:
  enum class Where { kHead, kBody, kChunkSize, kChunk, kChunkEnd };

  void head() {
    status_ = std::atoi(line_.c_str() + 9);
    size_ = 0;
    for (char& c : line_) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    if (const size_t at = line_.find("\r\ncontent-length: "); at != std::string::npos) {
      left_ = std::strtoull(line_.c_str() + at + 18, nullptr, 10);
      where_ = Where::kBody;
      if (left_ == 0) part_done();
    } else if (line_.find("\r\ntransfer-encoding: chunked") != std::string::npos) {
      where_ = Where::kChunkSize;
    } else {
      die("an answer without a length");
    }
  }

  void chunk_size() {
    left_ = std::strtoull(line_.c_str(), nullptr, 16);
    where_ = left_ == 0 ? Where::kChunkEnd : Where::kChunk;
    last_chunk_ = left_ == 0;
    if (last_chunk_) left_ = 2;
  }

  void part_done() {
    if (where_ == Where::kChunk) {
      where_ = Where::kChunkEnd;
      left_ = 2;
    } else if (where_ == Where::kChunkEnd && !last_chunk_) {
      where_ = Where::kChunkSize;
    } else {
      where_ = Where::kHead;
      if (on_done) on_done(status_, size_);
    }
  }

  Where where_ = Where::kHead;
  std::string line_;
  size_t left_ = 0, size_ = 0;
  int status_ = 0;
  bool last_chunk_ = false;
};

// Unary calls, one at a time, on one HTTP/2 connection: header blocks are literals and answers' are not read,
// as only the end of the stream and the length of its message matter here.
class GrpcConnection : public Connection {
 public:
  GrpcConnection(const Target& target, int epoll) : Connection(target, epoll) {
    std::string hello = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    hello += frame(4, 0, 0, {});
    send(hello);
  }
  std::function<void(size_t bytes)> on_done;

  void call(std::string_view path, std::string_view message) {
    std::string block;
    for (const auto& [name, value] : {std::pair<std::string_view, std::string_view>{":method", "POST"},
                                      {":scheme", "http"}, {":path", path}, {":authority", "load"},
                                      {"te", "trailers"}, {"content-type", "application/grpc"}}) {
      block += '\0';  // a literal that nobody keeps
      block += static_cast<char>(name.size());
      block.append(name);
      block += static_cast<char>(value.size());
      block.append(value);
    }
    std::string data(1, '\0');
    append_number(data, message.size(), 4);
    data.append(message);
    send(frame(1, 4, stream_, block) + frame(0, 1, stream_, data));
    stream_ += 2;
    size_ = 0;
  }

 protected:
  void received(std::string_view bytes) override {
    in_.append(bytes);
    size_t at = 0;
    while (in_.size() - at >= 9) {
      const auto byte = [&](size_t i) { return static_cast<unsigned char>(in_[at + i]); };
      const size_t size = size_t{byte(0)} << 16 | size_t{byte(1)} << 8 | byte(2);
      if (in_.size() - at < 9 + size) break;
      const int type = byte(3), flags = byte(4);
      const std::string payload = in_.substr(at + 9, size);
      at += 9 + size;
      if (type == 4 && (flags & 1) == 0) send(frame(4, 1, 0, {}));
      if (type == 6 && (flags & 1) == 0) send(frame(6, 1, 0, payload));
      if (type == 3 || type == 7) die("etcd ended a stream");
      if (type == 0 && size > 0) {
        size_ += size;
        std::string grant;
        append_number(grant, size, 4);
        send(frame(8, 0, 0, grant));
      }
      if ((type == 0 || type == 1) && (flags & 1) != 0 && on_done) on_done(size_);
    }
    in_.erase(0, at);
  }

 private:
  static void append_number(std::string& out, size_t value, int bytes) {
    for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i) & 255);
  }
  static std::string frame(int type, int flags, size_t stream, std::string_view payload) {
    std::string out;
    append_number(out, payload.size(), 3);
    out += static_cast<char>(type);
    out += static_cast<char>(flags);
    append_number(out, stream, 4);
    return out.append(payload);
  }

  std::string in_;
  size_t stream_ = 1;
  size_t size_ = 0;
};

}  // namespace load
