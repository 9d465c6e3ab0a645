// Pods with claims: what decides their volumes with their node (PreBind), and what wakes them.
#include <algorithm>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"
#include "control/object/volume_match.h"
#include "control/scheduler/scheduler_impl.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

bool uses_claim(const Value& pod, std::string_view namespace_, std::string_view name) {
  return object_namespace(pod) == namespace_ && std::ranges::count(claims_of_pod(pod), name) > 0;
}

}  // namespace

// The pod keeps its place on the node while its claims get their volumes there.
void Scheduler::Impl::bind_claims(const PendingPtr& pod, const Value& object,
                                  const std::vector<Value>& undecided, const std::string& node,
                                  Instant begin) {
  const int index = table.find(node);
  auto requests = volumes.requests_for(undecided, table.node(index).labels, node);
  binding_claims[pod->key] = {pod, object, node, begin, executor.now()};
  executor.after(profile_of(object)->bind_timeout, [weak = weak_from_this(), pod, node] {
    if (const auto self = weak.lock()) {
      self->give_up_claims(pod, node, Error(ErrorCode::kTimeout, "binding volumes: timed out"));
    }
  });
  for (auto& request : requests) {
    client.send(std::move(request),
                [weak = weak_from_this(), pod, node](Result<ApiResponse> result) {
                  const auto self = weak.lock();
                  if (self && !result) self->give_up_claims(pod, node, result.error());
                });
  }
}

void Scheduler::Impl::give_up_claims(const PendingPtr& pod, const std::string& node,
                                     const Error& error) {
  const auto found = binding_claims.find(pod->key);
  if (found == binding_claims.end() || found->second.pod != pod || found->second.node != node)
    return;
  const ClaimsInBinding waiting = std::move(found->second);
  binding_claims.erase(found);
  note_point(ExtensionPoint::kPreBind, PointStatus::kError, waiting.object, waiting.since);
  on_bound(pod, waiting.object, node, error);
}

void Scheduler::Impl::on_claim(const Value& before, const Value& after) {
  const Value& claim = after.has_value() ? after : before;
  const auto namespace_ = object_namespace(claim);
  const auto name = object_name(claim);
  // The provisioner has taken the choice back: the node cannot serve it.
  const bool refused = annotation(before, volume_notes::kSelectedNode).has_value() &&
                       !annotation(after, volume_notes::kSelectedNode).has_value();
  std::vector<ClaimsInBinding> concerned;
  for (const auto& [key, waiting] : binding_claims) {
    if (uses_claim(waiting.object, namespace_, name)) concerned.push_back(waiting);
  }
  for (const auto& waiting : concerned) {
    if (refused || !after.has_value()) {
      give_up_claims(waiting.pod, waiting.node,
                     Error(ErrorCode::kConflict, "the volume's node was given up"));
    } else if (volumes.all_bound(waiting.object)) {
      binding_claims.erase(waiting.pod->key);
      note_point(ExtensionPoint::kPreBind, PointStatus::kSuccess, waiting.object, waiting.since);
      bind(waiting.pod, waiting.object, waiting.node, waiting.begin, Clocked::kNo);
    }
  }
  wake_claimants(QueueEvent::kClaimUpdate, [&](const Value& pod) { return uses_claim(pod, namespace_, name); });
}

void Scheduler::Impl::on_volume(const Value& after) {
  const Value& reference = after[keys::kSpec][keys::kClaimRef];
  wake_claimants(QueueEvent::kVolumeUpdate, [&](const Value& pod) {
    return !reference.has_value() || uses_claim(pod, reference[keys::kNamespace].as_string(),
                                                reference[keys::kName].as_string());
  });
}

// Parked pods that wait because of their claims, and that this change may help.
void Scheduler::Impl::wake_claimants(QueueEvent event,
                                     const std::function<bool(const Value& pod)>& may_help) {
  std::vector<PendingPtr> helped;
  for (auto at = claimants.begin(); at != claimants.end();) {
    const auto pod = queue.find(*at);
    const bool parked = pod && pod->where == PendingPod::Where::kUnschedulable;
    const bool help = parked && may_help(pods().find(at->namespace_, at->name));
    if (help) helped.push_back(pod);
    at = parked && !help ? std::next(at) : claimants.erase(at);
  }
  for (const auto& pod : helped) queue.wake(pod, event);
}

}  // namespace minik::control
