// The hooks of PodWorker's containers: what is done right after their start and before their end.
#include <algorithm>

#include "control/base/text.h"
#include "control/kubelet/pod_worker.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"

namespace minik::control {

// A hook that is not done within the limit has failed.
void PodWorker::run_hook(const Value& container, const std::string& id, const Value& hook, Duration limit,
                         std::function<void(Status)> done) {
  if (const Value& command = hook[keys::kExec][keys::kCommand]; !command.empty()) {
    std::vector<std::string> words;
    for (const auto& word : command.items()) words.push_back(word.string());
    context_.runtime.exec_sync(id, std::move(words), limit, [done = std::move(done)](const Result<ExecResult>& result) {
      if (!result) return done(result.error());
      done(result->exit_code == 0 ? Status() : Error(ErrorCode::kUnknown, cat("command exited with ", result->exit_code)));
    });
  } else if (const Value& sleep = hook[keys::kSleep]; sleep.has_value()) {
    context_.executor.after(std::min(limit, seconds(sleep[keys::kSeconds].as_int())), [done = std::move(done)] { done({}); });
  } else if (hook[keys::kHttpGet].has_value() && state_.sandbox) {
    auto request = http_request(hook[keys::kHttpGet], container);
    if (!request) return done(request.error());
    request->user_agent = "kube-lifecycle/1.35";
    get_for_hook(*std::move(request), limit, std::move(done));
  } else {
    done(Error(ErrorCode::kInvalid, "invalid handler: neither exec, httpGet nor sleep"));
  }
}

// Any answer will do: a hook tells, it does not ask. Before Kubernetes 1.27 hooks knew no HTTPS, whatever they said, so
// one whose server speaks plain HTTP is told once more, without credentials.
void PodWorker::get_for_hook(HttpProbe request, Duration limit, std::function<void(Status)> done) {
  const Instant begun = context_.executor.now();
  const auto answered = [this, alive = alive_, request, limit, begun, done = std::move(done)](const Result<HttpAnswer>& answer) {
    if (!*alive) return;
    if (answer) return done({});
    if (!request.https || !state_.sandbox || answer.error().code != ErrorCode::kBadRequest) return done(answer.error());
    HttpProbe plain = request;
    plain.https = false;
    std::erase_if(plain.headers, [](const KeyValue& header) { return to_lower(header.key) == "authorization"; });
    const std::string host = cat(plain.host.empty() && !state_.sandbox->ips.empty() ? state_.sandbox->ips[0] : plain.host, ":", plain.port);
    const Duration left = std::max(limit - (context_.executor.now() - begun), milliseconds(1));
    context_.runtime.http_get(state_.sandbox->id, std::move(plain), left,
                              [this, alive, host, done, first = answer.error()](const Result<HttpAnswer>& second) {
                                if (!*alive) return;
                                if (!second) return done(first);
                                if (context_.metrics) context_.metrics->hook_fell_back();
                                event("Warning", "LifecycleHTTPFallback",
                                      cat("request to HTTPS lifecycle hook ", host, " got HTTP response, retry with HTTP succeeded"));
                                done({});
                              });
  };
  context_.runtime.http_get(state_.sandbox->id, std::move(request), limit, answered);
}

// Until it is over the container is not shown as running, and not probed. One that fails is the container's end.
void PodWorker::run_post_start(const Value& container, const std::string& id) {
  const Value& hook = container[keys::kLifecycle][keys::kPostStart];
  const auto done = step<Unit>([this, container, id](const Result<Unit>& result) {
    const std::string name = container[keys::kName].string();
    const auto& record = state_.containers[name];
    const bool runs = record.running() && record.current->id == id;
    if (result) {
      if (runs) on_up(container, id);
      return;
    }
    // Not what went wrong: an address or an answer may hold secrets, and Events are read by many.
    event("Warning", "FailedPostStartHook", "PostStartHook failed", container);
    if (!runs) return;
    int64_t grace = pod_[keys::kSpec][keys::kTerminationGracePeriodSeconds].as_int(30);
    if (is_deleting(pod_)) grace = pod_[keys::kMetadata][keys::kDeletionGracePeriodSeconds].as_int(grace);
    stop_one(name, seconds(grace), "FailedPostStartHook", [] {});
  });
  run_hook(container, id, hook, kPostStartMax, [done](const Status& status) { status.ok() ? done(Unit{}) : done(status.error()); });
}

void PodWorker::run_pre_stop(const Value& container, const std::string& id, Duration grace, std::function<void()> then) {
  const Value& hook = container[keys::kLifecycle][keys::kPreStop];
  if (!hook.has_value() || grace <= Duration{}) return then();
  run_hook(container, id, hook, grace, [this, alive = alive_, container, then = std::move(then)](const Status& status) {
    if (!*alive) return;
    if (!status.ok()) event("Warning", "FailedPreStopHook", "PreStopHook failed", container);
    then();
  });
}

}  // namespace minik::control
