#include "control/network/dns_publisher.h"

#include "control/object/object_ref.h"
#include "control/schema/kinds.h"

namespace minik::control {

DnsPublisher::DnsPublisher(Executor& executor, InformerSet& informers, Publish publish)
    : namespaces_(informers.of(kinds::kNamespaces)),
      publish_(std::move(publish)),
      changes_(executor, informers,
               [this](const std::set<std::string>& services) { on_services(services); }),
      alive_(std::make_shared<bool>(true)) {
  namespaces_.subscribe([this, alive = std::weak_ptr<bool>(alive_)](const Value& before,
                                                                    const Value& after) {
    if (alive.expired() || (before.has_value() && after.has_value())) return;
    DnsChange change;
    const bool is_new = after.has_value();
    (is_new ? change.namespaces : change.gone).emplace_back(object_name(is_new ? after : before));
    publish_(std::move(change));
  });
}

DnsPublisher::~DnsPublisher() = default;

void DnsPublisher::start() {
  changes_.start();
  // An informer that had listed before we subscribed told us nothing.
  namespaces_.when_synced([this, alive = std::weak_ptr<bool>(alive_)] {
    if (alive.expired()) return;
    DnsChange change;
    namespaces_.cache().for_each(
        [&](const Value& object) { change.namespaces.emplace_back(object_name(object)); });
    publish_(std::move(change));
  });
}

void DnsPublisher::on_services(const std::set<std::string>& services) {
  DnsChange change;
  for (const auto& key : services) {
    const Value& service = changes_.service(key);
    if (!service.has_value()) {
      if (published_.erase(key) != 0) change.removed.push_back(key);
      continue;
    }
    DnsService now = dns_service(service, changes_.slices(key));
    auto& before = published_[key];
    if (before == now) continue;
    before = now;
    change.services.push_back(std::move(now));
  }
  if (!change.services.empty() || !change.removed.empty()) publish_(std::move(change));
}

}  // namespace minik::control
