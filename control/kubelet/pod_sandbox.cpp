// A pod's sandbox, and what becomes of the pod when it is lost: the machine was off, and with it went all that ran.
#include <algorithm>
#include <utility>

#include "control/base/text.h"
#include "control/kubelet/pod_worker.h"
#include "control/object/keys.h"

namespace minik::control {

namespace {
constexpr size_t kHostnameMax = 64;  // the kernel's
}

bool PodWorker::run_sandbox() {
  if (state_.sandbox && state_.sandbox->ready) return false;
  if (wake_.armed()) return true;
  if (!state_.sandbox) {
    make_sandbox();
    return true;
  }
  event("Normal", "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.");
  busy_ = true;
  context_.runtime.stop_pod_sandbox(state_.sandbox->id, [this, alive = alive_](const Result<Unit>&) {
    if (!*alive) return;
    busy_ = false;
    if (terminating_ || gone_ || is_deleting(pod_)) return sync();
    make_sandbox();
  });
  return true;
}

void PodWorker::make_sandbox() {
  auto config = make_sandbox_config(pod_, surroundings(), sandbox_attempt_);
  if (const std::string& name = config.shown_hostname(); name.size() > kHostnameMax) {
    event("Warning", "FailedCreatePodSandBox",
          cat("Failed to create pod sandbox: failed to construct FQDN from pod hostname and cluster domain, FQDN ", name,
              " is too long (", kHostnameMax, " characters is the max, ", name.size(), " characters requested)"));
    later(kRetry);
    return;
  }
  ++sandbox_attempt_;
  context_.runtime.run_pod_sandbox(
      std::move(config), step<PodSandboxStatus>([this](Result<PodSandboxStatus> result) {
        if (result) {
          if (context_.metrics) context_.metrics->sandbox_started();
          if (state_.sandbox) former_sandboxes_.push_back(state_.sandbox->id);
          state_.sandbox = *std::move(result);
          leave_former_sandboxes();
          return;
        }
        if (context_.metrics) context_.metrics->sandbox_failed();
        event("Warning", "FailedCreatePodSandBox",
              cat("Failed to create pod sandbox: ", result.error().message));
        later(kRetry);
      }));
}

// Of a pod that has begun, a new sandbox is made only for what is to run in it: of one that is never restarted for
// nothing, not even for what had yet to begin.
bool PodWorker::is_over_with_its_sandbox() const {
  if (!state_.sandbox || state_.sandbox->ready) return false;
  const bool begun = std::ranges::any_of(state_.containers, [](const auto& entry) { return entry.second.current || entry.second.last; });
  if (!begun) return false;
  const bool never = pod_[keys::kSpec][keys::kRestartPolicy].as_string() == "Never";
  return std::ranges::none_of(pod_[keys::kSpec][keys::kContainers].items(), [&](const Value& container) {
    const auto found = state_.containers.find(container[keys::kName].string());
    const bool is_known = found != state_.containers.end();
    if (is_known && found->second.exited()) return wants_restart(container, found->second, ContainerRole::kMain);
    return !never || (is_known && !found->second.current && found->second.last);  // it was to run in this one
  });
}

// All begins anew in the new sandbox, init containers first; what ran in the one before is what it was last. Main
// containers that have ended for good stay as they are, and who has only looked in does not come back.
void PodWorker::leave_former_sandboxes() {
  for (auto& [name, record] : state_.containers) {
    if (!record.current || record.current->sandbox_id == state_.sandbox->id) continue;
    const auto is_it = [&name = name](const Value& container) { return container[keys::kName].as_string() == name; };
    const auto main = pod_[keys::kSpec][keys::kContainers].items(), init = pod_[keys::kSpec][keys::kInitContainers].items();
    const auto own = std::ranges::find_if(main, is_it);
    const bool is_visitor = own == main.end() && std::ranges::none_of(init, is_it);
    if (is_visitor || (own != main.end() && record.exited() && !wants_restart(*own, record, ContainerRole::kMain))) continue;
    if (record.exited()) keep_as_last(record);
    record.current.reset();
    record.ran_before = true;
    record.replaced = record.started = record.ready = false;
    record.waiting_reason.clear();
    record.waiting_message.clear();
    stop_probes(name);
  }
  drop_former_sandboxes();
}

void PodWorker::drop_former_sandboxes() {
  std::erase_if(former_sandboxes_, [this](const std::string& id) {
    const bool is_shown = std::ranges::any_of(state_.containers, [&id](const auto& entry) {
      const ContainerRecord& record = entry.second;
      return (record.current && record.current->sandbox_id == id) || (record.last && record.last->sandbox_id == id);
    });
    if (!is_shown) context_.runtime.remove_pod_sandbox(id, [](const Result<Unit>&) {});
    return !is_shown;
  });
}

}  // namespace minik::control
