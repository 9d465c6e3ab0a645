#include "minik/net/endpoint_dial.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "minik/net/limits.h"

namespace minik {

namespace {

Error nobody_accepts() { return Error(ErrorCode::kServiceUnavailable, "no endpoint of the service accepts connections"); }

}  // namespace

EndpointDial::EndpointDial(std::shared_ptr<EventLoop> loop, EndpointRoute route)
    : loop_(std::move(loop)), route_(std::move(route)), last_(nobody_accepts()), timer_(*loop_) {}

void EndpointDial::next(Done done) {
  done_ = std::move(done);
  timer_.arm({}, [this] { try_next(); });
}

void EndpointDial::cancel() {
  timer_.cancel();
  connecting_.reset();
  handshake_.reset();
  socket_.reset();
  done_ = nullptr;
}

void EndpointDial::try_next() {
  connecting_.reset();
  handshake_.reset();
  socket_.reset();
  if (!has_next()) {
    timer_.cancel();
    return std::exchange(done_, nullptr)(last_);
  }
  const auto endpoint = route_.endpoints[next_++];
  auto opened = route_.open();
  if (!opened) return failed(std::move(opened).error());
  socket_ = std::move(*opened);
  const int on = 1;
  setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(endpoint.port);
  address.sin_addr.s_addr = htonl(endpoint.address);
  const int code = connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  if (code != 0 && errno != EINPROGRESS) return failed(nobody_accepts());
  connecting_ = std::make_unique<FdWatch>(*loop_, socket_.get());
  timer_.arm(kIngressConnectTimeout, [this] { try_next(); });
  connecting_->wait_writable([this] { on_connected(); });
}

void EndpointDial::on_connected() {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return failed(nobody_accepts());
  connecting_.reset();
  if (!route_.tls) {
    timer_.cancel();
    return std::exchange(done_, nullptr)(plain_stream(loop_, std::move(socket_)));
  }
  handshake_ = TlsHandshake::begin(loop_, std::move(socket_), *route_.tls, route_.server_name,
                                   [this](Result<std::shared_ptr<ByteStream>> stream) {
                                     if (!stream) return failed(std::move(stream).error());
                                     timer_.cancel();
                                     handshake_.reset();
                                     std::exchange(done_, nullptr)(std::move(stream));
                                   });
}

// Later, because what failed may be calling.
void EndpointDial::failed(Error error) {
  last_ = std::move(error);
  timer_.arm({}, [this] { try_next(); });
}

}  // namespace minik
