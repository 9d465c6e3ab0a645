#include "control/network/service_proxy.h"

#include <algorithm>

#include "control/base/log.h"
#include "control/base/text.h"

namespace minik::control {

namespace {

constexpr Duration kRetryFirst = seconds(1);
constexpr Duration kRetryMax = seconds(30);

}  // namespace

ServiceProxy::ServiceProxy(Executor& executor, InformerSet& informers, ServiceCarrier& carrier)
    : executor_(executor),
      changes_(executor, informers,
               [this](const std::set<std::string>& services) {
                 started_ = true;
                 dirty_.insert(services.begin(), services.end());
                 flush();
               }),
      carrier_(carrier),
      retry_(executor),
      alive_(std::make_shared<bool>(true)) {}

ServiceProxy::~ServiceProxy() = default;

void ServiceProxy::start() {
  changes_.start();
}

void ServiceProxy::recompute(const std::string& service, ServiceRulesUpdate& update) {
  const Value& object = changes_.service(service);
  std::vector<ServiceRule> now;
  if (object.has_value()) now = service_rules(object, changes_.slices(service));
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
  if (carrying_ || retry_.armed()) return;
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
    if (!dirty_.empty()) flush();
    return;
  }
  MINIK_LOG(kError, "proxy",
            cat("Services are not routed as they should be: ", status.error().message));
  needs_whole_ = true;
  const Duration delay = std::min(kRetryMax, kRetryFirst * (int64_t{1} << std::min(failures_, 5)));
  ++failures_;
  retry_.arm(delay, [this] { flush(); });
}

}  // namespace minik::control
