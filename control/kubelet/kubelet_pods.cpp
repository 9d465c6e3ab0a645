// Which pods a node agent has: what the runtime still knows from before, what the API tells, and how they end with the machine.
#include <algorithm>
#include <memory>
#include <utility>

#include "control/base/text.h"
#include "control/kubelet/kubelet.h"
#include "control/object/keys.h"

namespace minik::control {

namespace {
// Beyond the grace of the containers: for hooks and the kernel, before their end is no longer waited for.
constexpr Duration kShutdownReserve = seconds(5);
}

void Kubelet::recover() {
  runtime_.list_pod_sandboxes([this, alive = alive_](Result<std::vector<PodSandboxStatus>> sandboxes) {
    if (!*alive) return;
    if (sandboxes) {
      for (auto& sandbox : *sandboxes) found_sandboxes_[sandbox.uid].push_back(std::move(sandbox));
    }
    runtime_.list_containers([this, alive](Result<std::vector<ContainerStatus>> containers) {
      if (!*alive) return;
      if (containers) {
        for (auto& container : *containers) found_containers_.emplace(container.sandbox_id, std::move(container));
      }
      pods_.subscribe([this](const Value& before, const Value& after) { on_pod(before, after); });
      pods_.when_synced([this, alive] {
        if (!*alive) return;
        // Whatever no pod has claimed belongs to pods that are gone, or to one that is still being judged.
        std::vector<std::string> unclaimed;
        for (const auto& [uid, found] : found_sandboxes_) {
          const Value& pod = pods_.cache().find(found[0].namespace_, found[0].name);
          if (object_uid(pod) != uid) unclaimed.push_back(uid);
        }
        for (const auto& uid : unclaimed) sweep(uid);
        report_status();
      });
      pods_.start();
    });
  });
}

// What the runtime has of a pod that is gone.
void Kubelet::sweep(const std::string& uid) {
  const auto found = found_sandboxes_.extract(uid);
  if (found.empty()) return;
  for (const auto& sandbox : found.mapped()) {
    found_containers_.erase(sandbox.id);
    runtime_.stop_pod_sandbox(sandbox.id, [this, alive = alive_, id = sandbox.id, uid](const Result<Unit>&) {
      if (!*alive) return;
      runtime_.remove_pod_sandbox(id, [this, alive, uid](const Result<Unit>&) {
        if (*alive) runtime_.remove_pod_directories(uid, [](const Result<Unit>&) {});
      });
    });
  }
}

void Kubelet::on_pod(const Value& before, const Value& after) {
  const std::string uid(object_uid(after.has_value() ? after : before));
  const auto found = workers_.find(uid);
  if (!after.has_value()) {
    if (found == workers_.end()) return sweep(uid);
    const auto keep = found->second;
    keep->forget_pod();
    return;
  }
  if (found != workers_.end()) {
    const auto keep = found->second;
    keep->update(after);
    return;
  }
  take_in(after, known_node(), NodeNews::kWatched);
}

void Kubelet::take_in(const Value& pod, const Value& node, NodeNews news) {
  if (shutting_down_) return;
  const std::string uid(object_uid(pod));
  auto worker = std::make_shared<PodWorker>(context_, pod);
  const auto sandboxes = found_sandboxes_.find(uid);
  const bool goes_on = sandboxes != found_sandboxes_.end() && std::ranges::any_of(sandboxes->second, &PodSandboxStatus::ready);
  std::optional<PodRefusal> refusal;
  if (worker->is_active() && !goes_on) {
    if (auto why = refused_under_pressure(pod, pressure_.pressures())) {
      refusal = {std::string(kEvictedReason), *std::move(why)};
    } else if ((refusal = why_refused(pod, node, load())) && news == NodeNews::kWatched) {
      return look_at_node_for(pod);
    }
  }
  workers_.emplace(uid, worker);
  if (sandboxes != found_sandboxes_.end()) {
    std::vector<ContainerStatus> containers;
    for (const auto& sandbox : sandboxes->second) {
      const auto [first, last] = found_containers_.equal_range(sandbox.id);
      for (auto c = first; c != last; ++c) containers.push_back(std::move(c->second));
      found_containers_.erase(first, last);
    }
    worker->adopt(std::move(sandboxes->second), std::move(containers));
    found_sandboxes_.erase(sandboxes);
  }
  if (refusal) return worker->reject(std::move(refusal->reason), std::move(refusal->message));
  worker->sync();
}

void Kubelet::shut_down(Duration most, std::function<void()> done) {
  shutting_down_ = true;
  auto left = std::make_shared<size_t>(workers_.size() + 1);
  const auto one_less = [left, done = std::move(done)] {
    if (*left > 0 && --*left == 0) done();
  };
  for (const auto& worker : workers()) worker->shut_down(most, one_less);
  executor_.after(most + kShutdownReserve, [left, one_less] {
    if (*left == 0) return;
    *left = 1;
    one_less();
  });
  one_less();
}

}  // namespace minik::control
