// MeddledClient: a client of the API whose requests a test refuses, or overtakes with one of its own.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "control/client/client.h"

namespace minik::sim {

class MeddledClient : public control::Client {
 public:
  explicit MeddledClient(control::Client& client) : client_(client) {}

  void send(control::ApiRequest request, control::ResponseCallback done) override {
    if (overtake) {
      if (auto first = overtake(request)) client_.send(*std::move(first), [](const Result<control::ApiResponse>&) {});
    }
    if (auto refusal = refuse ? refuse(request) : std::nullopt) {
      client_.send(std::move(request), [done = std::move(done), error = *std::move(refusal)](const Result<control::ApiResponse>&) { done(error); });
      return;
    }
    client_.send(std::move(request), std::move(done));
  }
  std::unique_ptr<control::WatchHandle> watch(control::ApiRequest request, control::WatchCallbacks callbacks) override {
    return client_.watch(std::move(request), std::move(callbacks));
  }

  // Sent just before the request; none: nobody is quicker.
  std::function<std::optional<control::ApiRequest>(const control::ApiRequest&)> overtake;
  // What is answered instead of the truth.
  std::function<std::optional<Error>(const control::ApiRequest&)> refuse;

 private:
  control::Client& client_;
};

}  // namespace minik::sim
