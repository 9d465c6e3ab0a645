#include "minik/net/responder.h"

#include <utility>

#include "minik/net/http_connection.h"
#include "minik/net/http_streams.h"

namespace minik {

std::shared_ptr<HttpExchange> HttpExchange::handle_of(
    const std::shared_ptr<HttpExchange>& exchange) {
  return {exchange.get(), [exchange](HttpExchange*) {
            if (!exchange->claim()) return;
            exchange->with_connection([](HttpConnection& connection) {
              connection.respond(
                  HttpResponse::text(500, "the request was dropped without an answer\n"));
            });
          }};
}

void HttpExchange::with_connection(std::function<void(HttpConnection&)> action, Task gone) {
  auto run = [weak = connection_, action = std::move(action), gone = std::move(gone)] {
    if (const auto connection = weak.lock()) {
      action(*connection);
    } else if (gone) {
      gone();
    }
  };
  if (loop_->on_loop_thread()) {
    run();
  } else {
    loop_->post(std::move(run));
  }
}

void HttpExchange::set_on_close(Task task) {
  if (lost_) return task();
  if (!over_) on_close_ = std::move(task);
}

void HttpExchange::hold(std::shared_ptr<void> thing) {
  if (!ended_) held_.push_back(std::move(thing));
}

void HttpExchange::completed() {
  on_close_ = nullptr;
  over_ = ended_ = true;
  held_.clear();
}

void HttpExchange::closed() {
  ended_ = true;
  held_.clear();
  if (over_ || lost_) return;
  lost_ = true;
  if (const Task task = std::exchange(on_close_, nullptr)) task();
}

Responder::Responder(std::shared_ptr<HttpExchange> exchange) : exchange_(std::move(exchange)) {}
Responder::~Responder() = default;
Responder::Responder(const Responder&) = default;
Responder& Responder::operator=(const Responder&) = default;
Responder::Responder(Responder&&) noexcept = default;
Responder& Responder::operator=(Responder&&) noexcept = default;

void Responder::respond(HttpResponse response) const {
  if (!exchange_->claim()) return;
  // Shared, because a std::function must be copyable and a body may be large.
  auto shared = std::make_shared<HttpResponse>(std::move(response));
  exchange_->with_connection([shared](HttpConnection& c) { c.respond(std::move(*shared)); });
}

std::shared_ptr<ResponseStream> Responder::stream(HttpResponse head, StreamOptions options) const {
  auto stream = std::make_shared<HttpStream>(exchange_, options);
  if (!exchange_->claim()) {
    stream->closed();
    return stream;
  }
  stream->write(head.body);
  head.body.clear();
  exchange_->with_connection(
      [stream, head = std::move(head)](HttpConnection& c) { c.begin_stream(head, stream); },
      [stream] { stream->closed(); });
  return stream;
}

void Responder::upgrade(HttpResponse head,
                        std::function<void(std::shared_ptr<ByteStream>)> opened) const {
  if (!exchange_->claim()) return;
  // The upgraded stream tells of its own end; the exchange has done its work.
  exchange_->with_connection([exchange = exchange_, head = std::move(head),
                              opened = std::move(opened)](HttpConnection& c) {
    const auto stream = std::make_shared<UpgradedStream>(c.weak_from_this(), c.loop());
    exchange->upgraded();
    c.upgrade(head, stream);
    opened(stream);
  });
}

void Responder::hold(std::shared_ptr<void> thing) const {
  exchange_->loop()->post([exchange = exchange_, thing = std::move(thing)]() mutable {
    exchange->hold(std::move(thing));
  });
}

bool Responder::client_gone() const {
  return exchange_->lost();
}

void Responder::on_close(Task task) const {
  exchange_->loop()->post([exchange = exchange_, task = std::move(task)]() mutable {
    exchange->set_on_close(std::move(task));
  });
}

const std::shared_ptr<EventLoop>& Responder::loop() const {
  return exchange_->loop();
}

}  // namespace minik
