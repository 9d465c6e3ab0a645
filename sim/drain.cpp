#include "sim/drain.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/controllers/pods.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"

namespace minik::sim {

namespace keys = control::keys;
namespace kinds = control::kinds;
using control::ApiRequest;
using control::Value;
using control::Verb;

namespace {

constexpr Duration kLook = seconds(1), kEvictAgain = seconds(5);

bool drain_moves(const Value& pod) {
  if (control::is_pod_ended(pod)) return true;
  return control::controller_of(pod)[keys::kKind].as_string() != "DaemonSet";
}

}  // namespace

// --- one node ---

void Actions::Drain::start() {
  started_ = actions_.cluster_.executor().now();
  actions_.cordon(node_, true, [self = shared_from_this()](const Status& status) {
    if (!status) {
      self->actions_.listener_.failed(cat("drain ", self->node_), status.error().message);
      self->end(End::kTimedOut);
      return;
    }
    self->look();
  });
}

// Asks the server for the node's pods, as kubectl does, and evicts those that have not been asked lately.
void Actions::Drain::look() {
  if (over_) return;
  const Instant now = actions_.cluster_.executor().now();
  if (how_.timeout && now - started_ >= *how_.timeout) {
    end(End::kTimedOut);
    return;
  }
  ApiRequest request;
  request.verb = Verb::kList;
  request.kind = kinds::kPods;
  request.options.field_selector = cat("spec.nodeName=", node_);
  actions_.cluster_.request(std::move(request), [self = shared_from_this()](const Result<control::ApiResponse>& result) {
    if (self->over_) return;
    if (result) {
      self->left_ = 0;
      for (const auto& pod : result->object[keys::kItems].items()) {
        if (!drain_moves(pod)) continue;
        ++self->left_;
        self->evict(pod);
      }
      if (self->left_ == 0) {
        self->end(End::kDrained);
        return;
      }
    }
    self->actions_.cluster_.executor().after(kLook, [self] { self->look(); });
  });
}

void Actions::Drain::evict(const Value& pod) {
  const Instant now = actions_.cluster_.executor().now();
  const std::string uid(control::object_uid(pod));
  const auto tried = tried_.find(uid);
  if (control::is_deleting(pod) || (tried != tried_.end() && now - tried->second < kEvictAgain)) return;
  tried_[uid] = now;
  ApiRequest request;
  request.verb = Verb::kCreate;
  request.kind = kinds::kPods;
  request.namespace_ = control::object_namespace(pod);
  request.name = control::object_name(pod);
  request.subresource = "eviction";
  control::MapBuilder options;
  if (how_.grace_period_seconds) options.set(keys::kGracePeriodSeconds, *how_.grace_period_seconds);
  request.body = Value::map({{keys::kApiVersion, "policy/v1"},
                             {keys::kKind, "Eviction"},
                             {keys::kMetadata, Value::map({{keys::kName, request.name}, {keys::kNamespace, request.namespace_}})},
                             {"deleteOptions", std::move(options).build()}});
  actions_.cluster_.request(std::move(request), [self = shared_from_this(), name = control::key_of(pod).text()](
                                                    const Result<control::ApiResponse>& result) {
    if (!result && result.error().code == ErrorCode::kTooManyRequests) self->refused_ = cat(name, ": ", result.error().message);
  });
}

void Actions::Drain::end(End how) {
  if (over_) return;
  over_ = true;
  const auto self = shared_from_this();
  actions_.drains_.erase(self);
  done_(how);
}

std::string Actions::Drain::text() const {
  return cat("drain of ", node_, ": ", left_, left_ == 1 ? " pod is" : " pods are", " left", refused_.empty() ? "" : cat("; ", refused_));
}

// --- a pool ---

void Actions::Upgrade::advance() {
  while (!waiting_.empty() && static_cast<int64_t>(working_.size()) < how_.max_unavailable) {
    const std::string node = waiting_.back();
    waiting_.pop_back();
    working_.insert(node);
    DrainAction drain;
    drain.timeout = how_.drain_timeout;
    const auto draining = std::make_shared<Drain>(actions_, node, drain, [self = shared_from_this(), node](Drain::End end) {
      if (end == Drain::End::kTimedOut) self->actions_.listener_.note(cat("gave up draining ", node));
      self->replace(node);
    });
    actions_.drains_.insert(draining);
    draining->start();
  }
}

void Actions::Upgrade::replace(const std::string& node) {
  SimulatedCluster& cluster = actions_.cluster_;
  actions_.listener_.note(cat("replace ", node));
  cluster.crash_node(node);
  ApiRequest request;
  request.verb = Verb::kDelete;
  request.kind = kinds::kNodes;
  request.name = node;
  actions_.send(std::move(request), cat("delete node ", node), [self = shared_from_this(), node](const Status&) {
    SimulatedCluster& in = self->actions_.cluster_;
    in.executor().after(self->how_.replace.draw(self->rng_), [self, node] {
      SimulatedCluster& there = self->actions_.cluster_;
      if (!self->how_.labels.empty()) there.set_node_labels(node, self->how_.labels);
      there.start_node(node);
      self->await_ready(node);
    });
  });
}

void Actions::Upgrade::await_ready(const std::string& node) {
  SimulatedCluster& cluster = actions_.cluster_;
  if (control::is_condition_true(cluster.store().find(kinds::kNodes, "", node), "Ready")) {
    working_.erase(node);
    actions_.listener_.note(cat("upgraded ", node));
    advance();
    return;
  }
  cluster.executor().after(kLook, [self = shared_from_this(), node] { self->await_ready(node); });
}

std::string Actions::Upgrade::text() const {
  return cat("upgrade of pool ", how_.pool, ": ", waiting_.size() + working_.size(), " of ", all_, " nodes are left");
}

}  // namespace minik::sim
