#include "minik/process/service_carrier.h"

namespace minik {

namespace {

runtime::FilterRule filter_rule(const control::ServiceRule& rule) {
  runtime::FilterRule result;
  result.name = rule.name;
  result.protocol = static_cast<uint8_t>(rule.protocol);
  result.port = rule.port;
  result.node_port = rule.node_port;
  result.addresses = rule.addresses;
  result.client_affinity = rule.client_affinity;
  result.backends.reserve(rule.backends.size());
  for (const auto& backend : rule.backends)
    result.backends.push_back({backend.address, backend.port});
  return result;
}

}  // namespace

ServiceCarrierOnWorkers::ServiceCarrierOnWorkers(Executor& executor, WorkerPool& workers,
                                                 std::unique_ptr<runtime::ServiceFilter> filter)
    : executor_(executor), workers_(workers), filter_(std::move(filter)) {}

void ServiceCarrierOnWorkers::carry(control::ServiceRulesUpdate update,
                                    std::function<void(Status)> done) {
  const auto work = [filter = filter_, update = std::move(update)]() -> Status {
    std::vector<runtime::FilterRule> rules;
    rules.reserve(update.changed.size());
    for (const auto& rule : update.changed) rules.push_back(filter_rule(rule));
    return update.whole ? filter->replace(rules) : filter->update(rules, update.removed);
  };
  const auto taken = workers_.run_for(work, done);
  if (!taken.ok()) executor_.post([done = std::move(done), taken] { done(taken); });
}

}  // namespace minik
