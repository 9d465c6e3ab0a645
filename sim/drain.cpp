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

}  // namespace

bool drain_moves(const Value& pod) {
  if (control::is_pod_ended(pod)) return true;
  return control::controller_of(pod)[keys::kKind].as_string() != "DaemonSet";
}

Value eviction_of(const Value& pod, std::optional<int64_t> grace_period_seconds) {
  control::MapBuilder options;
  if (grace_period_seconds) options.set(keys::kGracePeriodSeconds, *grace_period_seconds);
  const Value metadata = Value::map({{keys::kName, control::object_name(pod)}, {keys::kNamespace, control::object_namespace(pod)}});
  return Value::map({{keys::kApiVersion, "policy/v1"},
                     {keys::kKind, "Eviction"},
                     {keys::kMetadata, metadata},
                     {"deleteOptions", std::move(options).build()}});
}

// --- one node ---

void Drain::start() {
  started_ = client_.cluster().executor().now();
  client_.set_unschedulable(node_, true, [self = shared_from_this()](const Status& status) {
    if (!status) {
      self->client_.failed(cat("drain ", self->node_), status.error().message);
      self->end(End::kTimedOut);
      return;
    }
    self->look();
  });
}

// Asks the server for the node's pods, as kubectl does, and evicts those that have not been asked lately.
void Drain::look() {
  if (over_) return;
  const Instant now = client_.cluster().executor().now();
  if (how_.timeout && now - started_ >= *how_.timeout) {
    end(End::kTimedOut);
    return;
  }
  ApiRequest request;
  request.verb = Verb::kList;
  request.kind = kinds::kPods;
  request.options.field_selector = cat("spec.nodeName=", node_);
  client_.ask(std::move(request), [self = shared_from_this()](const Result<control::ApiResponse>& result) {
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
    self->client_.cluster().executor().after(kLook, [self] { self->look(); });
  });
}

void Drain::evict(const Value& pod) {
  const Instant now = client_.cluster().executor().now();
  const std::string uid(control::object_uid(pod));
  const auto tried = tried_.find(uid);
  if (control::is_deleting(pod) || (tried != tried_.end() && now - tried->second < kEvictAgain)) return;
  tried_[uid] = now;
  ApiRequest request = request_for(Verb::kCreate, kinds::kPods, std::string(control::object_namespace(pod)), std::string(control::object_name(pod)));
  request.subresource = "eviction";
  request.body = eviction_of(pod, how_.grace_period_seconds);
  client_.ask(std::move(request), [self = shared_from_this(), name = control::key_of(pod).text()](const Result<control::ApiResponse>& result) {
    if (!result && result.error().code == ErrorCode::kTooManyRequests) self->refused_ = cat(name, ": ", result.error().message);
  });
}

void Drain::end(End how) {
  if (over_) return;
  over_ = true;
  const auto self = shared_from_this();  // whoever hears of it may let go of this one
  done_(how);
}

std::string Drain::text() const {
  return cat("drain of ", node_, ": ", left_, left_ == 1 ? " pod is" : " pods are", " left", refused_.empty() ? "" : cat("; ", refused_));
}

// --- a pool ---

void PoolUpgrade::advance() {
  while (!waiting_.empty() && static_cast<int64_t>(working_.size()) < how_.max_unavailable) {
    const std::string node = waiting_.back();
    waiting_.pop_back();
    DrainAction drain;
    drain.timeout = how_.drain_timeout;
    const auto draining = std::make_shared<Drain>(client_, node, drain, [weak = weak_from_this(), node](Drain::End end) {
      const auto self = weak.lock();  // which holds the drain
      if (!self) return;
      if (end == Drain::End::kTimedOut) self->client_.note(cat("gave up draining ", node));
      self->replace(node);
    });
    working_.emplace(node, draining);
    draining->start();
  }
}

void PoolUpgrade::replace(const std::string& node) {
  client_.note(cat("replace ", node));
  client_.cluster().crash_node(node);
  client_.cluster().wipe_disk(node);
  client_.send(request_for(Verb::kDelete, kinds::kNodes, "", node), cat("delete node ", node), [self = shared_from_this(), node](const Status&) {
    self->client_.cluster().executor().after(self->how_.replace.draw(self->rng_), [self, node] {
      SimulatedCluster& cluster = self->client_.cluster();
      if (!self->how_.labels.empty()) cluster.set_node_labels(node, self->how_.labels);
      cluster.start_node(node);
      self->await_ready(node);
    });
  });
}

void PoolUpgrade::await_ready(const std::string& node) {
  SimulatedCluster& cluster = client_.cluster();
  if (control::is_condition_true(cluster.store().find(kinds::kNodes, "", node), "Ready")) {
    working_.erase(node);
    client_.note(cat("upgraded ", node));
    advance();
    return;
  }
  cluster.executor().after(kLook, [self = shared_from_this(), node] { self->await_ready(node); });
}

std::vector<std::string> PoolUpgrade::texts() const {
  std::vector<std::string> all{cat("upgrade of pool ", how_.pool, ": ", waiting_.size() + working_.size(), " of ", all_, " nodes are left")};
  for (const auto& [node, drain] : working_) {
    if (!drain->over()) all.push_back(drain->text());
  }
  return all;
}

}  // namespace minik::sim
