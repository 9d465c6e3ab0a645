// A client whose answers the test gives, when it wants: what is needed to hold requests in flight
// and to let a watch lag behind its writes. Not an API server: it stores nothing and judges
// nothing.
#pragma once

#include <deque>

#include "control/base/check.h"
#include "control/client/client.h"
#include "control/object/keys.h"

namespace minik::control {

class ScriptedClient : public Client {
 public:
  struct Pending {
    ApiRequest request;
    ResponseCallback done;
  };
  struct Handle : WatchHandle {};

  void send(ApiRequest request, ResponseCallback done) override {
    if (request.verb == Verb::kList)
      lists.push_back({std::move(request), std::move(done)});
    else
      pending.push_back({std::move(request), std::move(done)});
  }
  std::unique_ptr<WatchHandle> watch(ApiRequest request, WatchCallbacks callbacks) override {
    watches[request.kind] = std::move(callbacks);
    return std::make_unique<Handle>();
  }

  // Answers the oldest write that waits.
  void answer(Result<ApiResponse> result) {
    CHECK(!pending.empty()) << "no request waits";
    auto done = std::move(pending.front().done);
    pending.pop_front();
    done(std::move(result));
  }
  void answer_lists_empty() {
    while (!lists.empty()) {
      auto done = std::move(lists.front().done);
      lists.pop_front();
      ApiResponse response;
      response.object = Value::map({{keys::kMetadata, Value::map({{keys::kResourceVersion, "1"}})},
                                    {keys::kItems, Value::empty_array()}});
      done(std::move(response));
    }
  }
  void tell(KindId kind, WatchEventType type, Value object) {
    watches.at(kind).on_event({type, std::move(object)});
  }

  std::deque<Pending> pending, lists;
  std::map<KindId, WatchCallbacks> watches;
};

inline Value object_named(std::string_view name, int64_t revision) {
  return Value::map({{keys::kMetadata, Value::map({{keys::kName, name},
                                                   {keys::kNamespace, "default"},
                                                   {keys::kUid, cat("uid-", name)},
                                                   {keys::kResourceVersion, cat(revision)}})}});
}

}  // namespace minik::control
