// How a pod goes: its containers stop within their grace, then everything of it is removed.
#include <algorithm>
#include <utility>

#include "control/base/text.h"
#include "control/kubelet/pod_worker.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"
#include "control/schema/kinds.h"

namespace minik::control {

void PodWorker::terminate() {
  if (busy_ || removed_) {
    if (removed_) finish_deletion();
    return;
  }
  terminating_ = true;
  stop_probes();
  busy_ = true;
  stop_containers(grace(), [this] {
    for (auto& [name, record] : state_.containers) record.ready = record.started = false;
    remove_everything();
  });
}

void PodWorker::shut_down(Duration most, std::function<void()> then) {
  shutting_down_ = true;
  wake_.cancel();
  deadline_.cancel();
  renewal_.cancel();
  stop_probes();
  stop_containers(std::min(grace(), most), std::move(then));
}

// Of the pod as it is now wanted to end.
Duration PodWorker::grace() const {
  int64_t grace = pod_[keys::kSpec][keys::kTerminationGracePeriodSeconds].as_int(30);
  if (is_deleting(pod_)) grace = pod_[keys::kMetadata][keys::kDeletionGracePeriodSeconds].as_int(grace);
  if (evicted_) grace = kEvictionGraceSeconds;
  return seconds(gone_ ? std::min<int64_t>(grace, 2) : grace);
}

// Somebody has deleted the pod once more, with less patience.
void PodWorker::hasten_stops() {
  const Instant deadline = context_.executor.now() + grace();
  for (auto& [id, stop] : stops_) {
    if (deadline < stop.deadline) join_stop(id, stop, deadline, [] {});
  }
}

// Sidecars go after the main containers and in the reverse order of their start, whose turn it is within one grace.
void PodWorker::stop_containers(Duration grace, std::function<void()> then) {
  std::vector<std::pair<int, std::string>> running;
  for (const auto& [name, record] : state_.containers) {
    if (record.running()) running.emplace_back(stop_turn(name), name);
  }
  std::ranges::sort(running);
  auto left = std::make_shared<size_t>(1);
  auto done = std::make_shared<std::function<void()>>(std::move(then));
  const auto one_less = [left, done] {
    if (--*left == 0) (*done)();
  };
  for (const auto& [turn, name] : running) {
    ++*left;
    stop_one(name, grace, "Stopping container ", one_less, turn);
  }
  one_less();
}

int PodWorker::stop_turn(const std::string& name) const {
  const auto init = pod_[keys::kSpec][keys::kInitContainers].items();
  const auto found = std::ranges::find_if(init, [&](const Value& c) { return c[keys::kName].as_string() == name; });
  return found == init.end() || !is_sidecar(*found) ? 0 : static_cast<int>(init.end() - found);
}

void PodWorker::stop_one(const std::string& name, Duration grace, const std::string& why,
                         std::function<void()> then, int turn) {
  const std::string id = state_.containers[name].current->id;
  const Instant deadline = context_.executor.now() + grace;
  if (const auto begun = stops_.find(id); begun != stops_.end()) return join_stop(id, begun->second, deadline, std::move(then));
  Stop& stop = stops_[id];
  stop.container = name;
  stop.deadline = deadline;
  stop.turn = turn;
  stop.then.push_back(std::move(then));
  if (turn > 0) signal_at(id, deadline);
  const Value* container = find_container(name);
  event("Normal", "Killing", why == "Stopping container " ? cat(why, name) : why, container ? *container : Value());
  run_pre_stop(container ? *container : Value(), id, grace, [this, id] { signal_stop(id); });
}

// The hook is not run again, and the end comes no later than anybody wants it.
void PodWorker::join_stop(const std::string& id, Stop& stop, Instant deadline, std::function<void()> then) {
  stop.then.push_back(std::move(then));
  if (deadline >= stop.deadline) return;
  stop.deadline = deadline;
  if (stop.signalled) return stop_in_runtime(id, stop);
  signal_at(id, deadline);
}

void PodWorker::signal_at(const std::string& id, Instant deadline) {
  context_.executor.after(std::max(deadline - context_.executor.now(), Duration{}), [this, alive = alive_, id] {
    if (*alive) signal_stop(id);
  });
}

void PodWorker::signal_stop(const std::string& id) {
  const auto found = stops_.find(id);
  if (found == stops_.end() || found->second.signalled) return;
  Stop& stop = found->second;
  stop.hook_over = true;
  const bool waits = std::ranges::any_of(stops_, [&](const auto& other) { return other.second.turn < stop.turn; });
  if (waits && context_.executor.now() < stop.deadline) return;
  stop.signalled = true;
  stop_in_runtime(id, stop);
}

void PodWorker::stop_in_runtime(const std::string& id, const Stop& stop) {
  const Duration left = std::max(stop.deadline - context_.executor.now(), kGraceMin);
  context_.runtime.stop_container(id, left, [this, alive = alive_, id](const Result<Unit>&) {
    if (!*alive) return;
    context_.runtime.container_status(id, [this, alive, id](Result<ContainerStatus> status) {
      if (*alive) on_stopped(id, std::move(status));
    });
  });
}

void PodWorker::on_stopped(const std::string& id, Result<ContainerStatus> status) {
  const auto stop = stops_.extract(id);
  if (stop.empty()) return;
  const auto& record = state_.containers[stop.mapped().container];
  if (status && record.current && record.current->id == status->id) on_exited(stop.mapped().container, *std::move(status));
  for (auto& [other, waiting] : stops_) {
    if (waiting.hook_over) signal_stop(other);
  }
  for (const auto& then : stop.mapped().then) then();
  sync();
}

void PodWorker::remove_everything() {
  const bool keep = !gone_ && !is_deleting(pod_);  // ended pods keep their containers for their logs
  auto then = [this, alive = alive_, keep](const Result<Unit>&) {
    if (!*alive) return;
    if (state_.sandbox) state_.sandbox->ready = false;
    if (keep) {
      const auto is_empty_dir = [](const Value& volume) { return volume[keys::kEmptyDir].has_value(); };
      if (std::ranges::any_of(pod_[keys::kSpec][keys::kVolumes].items(), is_empty_dir)) {
        context_.runtime.remove_pod_volumes(std::string(object_uid(pod_)), [](const Result<Unit>&) {});
      }
      busy_ = false;
      state_.terminal = true;
      write_status();
      return;
    }
    // The final status is written before the containers go: their exit codes are in it.
    const std::string sandbox = state_.sandbox ? state_.sandbox->id : std::string();
    const auto cleaned = [this, alive](const Result<Unit>&) {
      if (!*alive) return;
      context_.runtime.remove_pod_directories(std::string(object_uid(pod_)), [this, alive](const Result<Unit>&) {
        if (!*alive) return;
        busy_ = false;
        removed_ = true;
        finish_deletion();
      });
    };
    for (const auto& former : former_sandboxes_) context_.runtime.remove_pod_sandbox(former, [](const Result<Unit>&) {});
    if (sandbox.empty()) {
      cleaned(Unit{});
    } else {
      context_.runtime.remove_pod_sandbox(sandbox, cleaned);
    }
  };
  if (state_.sandbox) {
    context_.runtime.stop_pod_sandbox(state_.sandbox->id, then);
  } else {
    then(Unit{});
  }
}

bool PodWorker::remove_remains(std::function<void()> done) {
  if (!state_.terminal || busy_ || removed_ || !state_.sandbox || is_deleting(pod_) || gone_) return false;
  if (std::exchange(remains_removed_, true)) return false;
  for (const auto& former : former_sandboxes_) context_.runtime.remove_pod_sandbox(former, [](const Result<Unit>&) {});
  context_.runtime.remove_pod_sandbox(state_.sandbox->id, [this, alive = alive_, done = std::move(done)](const Result<Unit>&) {
    if (!*alive) return done();
    context_.runtime.remove_pod_directories(std::string(object_uid(pod_)), [done](const Result<Unit>&) { done(); });
  });
  return true;
}

void PodWorker::finish_deletion() {
  if (gone_) {
    const auto done = context_.worker_done;
    done(std::string(object_uid(pod_)));  // destroys this worker
    return;
  }
  if (deleting_in_api_ || deleted_in_api_ || status_in_flight_) return;
  state_.terminal = true;
  write_status();
  if (status_in_flight_) return;  // comes back when the status is written
  deleting_in_api_ = true;
  ApiRequest request = request_for_pod(Verb::kDelete);
  request.options.grace_period_seconds = 0;
  request.options.preconditions.uid = object_uid(pod_);
  context_.client.send(std::move(request), [this, alive = alive_](const Result<ApiResponse>& result) {
    if (!*alive) return;
    deleting_in_api_ = false;
    if (result || result.error().code == ErrorCode::kNotFound || result.error().code == ErrorCode::kConflict) {
      deleted_in_api_ = true;
      if (!result) gone_ = true;
      if (gone_) finish_deletion();
      return;  // else the watch tells that it is gone, at once or when its finalizers are
    }
    later(kRetry);
  });
}

}  // namespace minik::control
