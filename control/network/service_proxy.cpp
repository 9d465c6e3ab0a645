#include "control/network/service_proxy.h"

#include <algorithm>

#include "control/base/log.h"
#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

constexpr std::string_view kByService = "network/service";
constexpr Duration kRetryFirst = seconds(1);
constexpr Duration kRetryMax = seconds(30);

std::string service_of_slice(const Value& slice) {
  const auto name =
      slice[keys::kMetadata][keys::kLabels].get("kubernetes.io/service-name").as_string();
  return name.empty() ? std::string() : cat(object_namespace(slice), "/", name);
}

}  // namespace

ServiceProxy::ServiceProxy(Executor& executor, InformerSet& informers, ServiceCarrier& carrier)
    : executor_(executor),
      services_(informers.of(kinds::kServices)),
      slices_(informers.of(kinds::kEndpointslices)),
      carrier_(carrier),
      retry_(executor),
      alive_(std::make_shared<bool>(true)) {
  slices_.cache().add_index(kByService, [](const Value& slice, std::vector<Key>& out) {
    if (const auto service = service_of_slice(slice); !service.empty()) out.emplace_back(service);
  });
  const std::weak_ptr<bool> alive = alive_;
  services_.subscribe([this, alive](const Value& before, const Value& after) {
    if (alive.expired()) return;
    const Value& object = after.has_value() ? after : before;
    mark(cat(object_namespace(object), "/", object_name(object)));
  });
  slices_.subscribe([this, alive](const Value& before, const Value& after) {
    if (alive.expired()) return;
    // The label may have moved the slice from one Service to another.
    for (const Value* slice : {&before, &after}) {
      if (slice->has_value()) mark(service_of_slice(*slice));
    }
  });
}

ServiceProxy::~ServiceProxy() = default;

void ServiceProxy::start() {
  const std::weak_ptr<bool> alive = alive_;
  const auto begin = [this, alive] {
    if (alive.expired() || !services_.synced() || !slices_.synced()) return;
    started_ = true;
    schedule();
  };
  services_.when_synced(begin);
  slices_.when_synced(begin);
}

void ServiceProxy::mark(const std::string& service) {
  if (service.empty()) return;
  dirty_.insert(service);
  schedule();
}

// In a turn of its own, so that all changes of one watch delivery become one update.
void ServiceProxy::schedule() {
  if (!started_ || scheduled_ || carrying_ || retry_.armed()) return;
  scheduled_ = true;
  executor_.post([this, alive = std::weak_ptr<bool>(alive_)] {
    if (alive.expired()) return;
    scheduled_ = false;
    flush();
  });
}

void ServiceProxy::recompute(const std::string& service, ServiceRulesUpdate& update) {
  const size_t slash = service.find('/');
  const Value& object = services_.cache().find(service.substr(0, slash), service.substr(slash + 1));
  std::vector<ServiceRule> now;
  if (object.has_value()) now = service_rules(object, slices_.cache().indexed(kByService, service));
  const std::string prefix = cat(service, "/");
  auto old = rules_.lower_bound(prefix);
  while (old != rules_.end() && old->first.starts_with(prefix)) {
    const bool kept = std::any_of(now.begin(), now.end(),
                                  [&](const auto& rule) { return rule.name == old->first; });
    if (!kept) update.removed.push_back(old->first);
    old = kept ? std::next(old) : rules_.erase(old);
  }
  for (auto& rule : now) {
    auto& installed = rules_[rule.name];
    if (installed == rule) continue;
    installed = rule;
    update.changed.push_back(std::move(rule));
  }
}

void ServiceProxy::flush() {
  ServiceRulesUpdate update;
  for (const auto& service : dirty_) recompute(service, update);
  dirty_.clear();
  const bool changed = !update.changed.empty() || !update.removed.empty();
  if (changed && listener_) listener_();
  if (!changed && !needs_whole_) return;
  if (needs_whole_) {
    update = {.whole = true, .changed = {}, .removed = {}};
    for (const auto& [name, rule] : rules_) update.changed.push_back(rule);
  }
  needs_whole_ = false;
  carrying_ = true;
  carrier_.carry(std::move(update), [this, alive = std::weak_ptr<bool>(alive_)](Status status) {
    if (!alive.expired()) on_carried(std::move(status));
  });
}

void ServiceProxy::on_carried(Status status) {
  carrying_ = false;
  if (status.ok()) {
    failures_ = 0;
    if (!dirty_.empty()) schedule();
    return;
  }
  MINIK_LOG(kError, "proxy",
            cat("Services are not routed as they should be: ", status.error().message));
  needs_whole_ = true;
  const Duration delay = std::min(kRetryMax, kRetryFirst * (int64_t{1} << std::min(failures_, 5)));
  ++failures_;
  retry_.arm(delay, [this] { schedule(); });
}

}  // namespace minik::control
