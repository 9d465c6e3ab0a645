#include "control/api/local_client.h"

#include <vector>

namespace minik::control {

namespace {

// Shared between the handle, the server's callbacks and the posted deliveries, whichever ends last.
struct LocalWatch {
  WatchCallbacks callbacks;
  std::vector<WatchEvent> queue;
  bool scheduled = false;
  bool open = true;
  std::unique_ptr<WatchHandle> inner;
};

class Handle : public WatchHandle {
 public:
  explicit Handle(std::shared_ptr<LocalWatch> watch) : watch_(std::move(watch)) {}
  ~Handle() override {
    watch_->open = false;
    watch_->inner.reset();
  }

 private:
  std::shared_ptr<LocalWatch> watch_;
};

void deliver(const std::shared_ptr<LocalWatch>& watch) {
  watch->scheduled = false;
  auto events = std::exchange(watch->queue, {});
  for (const auto& event : events) {
    if (!watch->open) return;
    watch->callbacks.on_event(event);
  }
}

void end(const std::shared_ptr<LocalWatch>& watch, Status status) {
  if (!watch->open) return;
  watch->open = false;
  watch->inner.reset();
  watch->callbacks.on_end(std::move(status));
}

}  // namespace

LocalClient::LocalClient(Executor& executor, ApiServer& server, UserInfo user)
    : executor_(executor),
      server_(server),
      user_(std::move(user)),
      alive_(std::make_shared<bool>(true)) {}

LocalClient::~LocalClient() { *alive_ = false; }

void LocalClient::send(ApiRequest request, ResponseCallback done) {
  request.user = user_;
  executor_.post([this, alive = alive_, request = std::move(request), done = std::move(done)]() mutable {
    if (!*alive) return;
    server_.handle(std::move(request),
                   [alive = std::move(alive), done = std::move(done)](Result<ApiResponse> result) {
                     if (*alive) done(std::move(result));
                   });
  });
}

std::unique_ptr<WatchHandle> LocalClient::watch(ApiRequest request, WatchCallbacks callbacks) {
  request.user = user_;
  auto watch = std::make_shared<LocalWatch>();
  watch->callbacks = std::move(callbacks);
  executor_.post([this, alive = alive_, watch, request = std::move(request)] {
    if (!*alive || !watch->open) return;
    WatchCallbacks inner;
    const std::weak_ptr<LocalWatch> weak = watch;
    inner.on_event = [this, weak](const WatchEvent& event) {
      const auto w = weak.lock();
      if (!w || !w->open) return;
      w->queue.push_back(event);
      if (w->scheduled) return;
      w->scheduled = true;
      executor_.post([w] { deliver(w); });
    };
    inner.on_end = [this, weak](Status status) {
      if (const auto w = weak.lock()) {
        executor_.post([w, status = std::move(status)]() mutable { end(w, std::move(status)); });
      }
    };
    auto handle = server_.watch(request, std::move(inner));
    if (handle) {
      watch->inner = *std::move(handle);
    } else {
      executor_.post([watch, status = Status(std::move(handle).error())]() mutable {
        end(watch, std::move(status));
      });
    }
  });
  return std::make_unique<Handle>(watch);
}

}  // namespace minik::control
